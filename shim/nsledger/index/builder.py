"""Takes an index from where it stands to the end of its ledger."""

from __future__ import annotations

import contextlib
import gc
import io
import sqlite3
from collections.abc import Callable, Generator, Iterator
from typing import Final

import msgspec

from nsledger import bounds
from nsledger.index.entries import DIGEST_CHARACTERS, Entries, Pointer, pack, unpack
from nsledger.index.scan import ABOUT_PODS, Watching
from nsledger.index.skim import Opening, Skimmed, opening, skim
from nsledger.index.store import Mark, Store, resume
from nsledger.ledger import place
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.line import MAX_LINE_BYTES, digest_of
from nsledger.ledger.segment import Segment
from nsledger.model.instants import NotAnInstantError
from nsledger.model.record import decode

# The lines of a ledger with their places, quickly: what an index is built from.
#
# A line's offset counts from the beginning of its segment, in what a compressed one holds. Lines
# are
# not checked here; whoever takes one for true compares its hash.

_PIECE_BYTES: Final = 1 << 20


def lines(path: str, after_seq: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """Offset and line of every entry after `after_seq`, whose segment goes on at `offset`.

    Raises:
        NoLedgerError: there is no ledger at `path`.
        NotAnEntryError: a line is longer than any entry can be.
        OSError: a segment cannot be read.
    """
    segments = place.find(path).segments
    ends = [*(first_seq for first_seq, _ in segments[1:]), None]
    for (first_seq, segment_path), end in zip(segments, ends, strict=True):
        if end is not None and end <= after_seq:
            continue
        with place.opened(segment_path) as segment:
            if segment is not None:
                yield from lines_of(segment, offset if first_seq <= after_seq else 0)


def lines_of(segment: Segment, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Offset and line of every entry in `segment` from `offset` on.

    Raises:
        NotAnEntryError: a line is longer than any entry can be.
    """
    at, rest = offset, b""
    for piece in segment.pieces(at, _PIECE_BYTES):
        data = rest + piece
        end = data.rfind(b"\n") + 1
        for line in io.BytesIO(data[:end]):
            yield at, line
            at += len(line)
        rest = data[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=rest, reason=f"needed a newline in {MAX_LINE_BYTES} bytes")


BATCH: Final = 50_000
"""Entries in one transaction of a build: a row that changes on and on is written once in it."""

Progress = Callable[[int], object]
"""Told how many bytes of the ledger were taken in since the last call."""


class Builder:
    """An index that is being written, by nobody else. Keeps what is open between two calls."""

    def __init__(self, database: sqlite3.Connection, ledger: str, reached: Mark) -> None:
        self.reached = reached
        """Up to where the index goes."""
        self._database = database
        self._ledger = ledger
        self._scan = resume(database, reached)
        pointers = {at.seq: at for at in unpack(reached.recent)}
        recent = Entries(ledger).read(pointers.values()) if pointers else ()
        self._store = Store(database)
        self._watching = Watching((pointers[one.seq], decode(one.line)) for one in recent)

    def extend(
        self,
        *,
        batch: int = BATCH,
        progress: Progress | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Index the entries that are new, to where the ledger ends by then.

        Args:
            batch: Entries in one transaction.
            progress: Called after each transaction.
            go_on: Asked after each transaction; False ends it there.

        Raises:
            LedgerError: there is no ledger, or a line in it is no entry.
            OSError: it cannot be read.
            sqlite3.Error: the index cannot be written.
        """
        before: Skimmed | Opening | None = None
        before_at, before_line = 0, b""
        count, began_at = 0, 0
        read_bytes = 0
        apply = self._apply
        record: Skimmed | Opening
        for offset, line in lines(self._ledger, self.reached.seq, self.reached.end):
            try:
                bounds.check_depth(line, bounds.RECORD_DEPTH)
                record = skim(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                record = _opening(line)
            except bounds.OutOfBoundsError as error:
                raise NotAnEntryError(line=line, reason=str(error)) from error
            if before is not None:
                # What a line hashes to stands in the line after it.
                apply(before, before_at, before_line, record.prev)
                if count >= batch:
                    self._commit(before, before_at, before_line)
                    count = 0
                    if progress is not None:
                        progress(read_bytes - began_at)
                        began_at = read_bytes
                    if not go_on():
                        return
            before, before_at, before_line = record, offset, line
            count += 1
            read_bytes += len(line)
        if before is not None:
            apply(before, before_at, before_line, digest_of(before_line))
            self._commit(before, before_at, before_line)
            if progress is not None:
                progress(read_bytes - began_at)

    def _apply(self, record: Skimmed | Opening, offset: int, line: bytes, digest: str) -> None:
        at = record.seq, offset, int(digest[:DIGEST_CHARACTERS], 16)
        if isinstance(record, Opening):
            self._scan.odd.append(at)
            return
        try:
            self._scan.apply(record, at)
            if record.event in ABOUT_PODS:
                self._watching.last = at, line
            else:
                self._watching.apply(Pointer(*at), line)
        except NotAnInstantError:
            self._scan.odd.append(at)

    def _commit(self, record: Skimmed | Opening, offset: int, line: bytes) -> None:
        scan, watching = self._scan, self._watching
        watching.catch_up()
        reached = Mark(
            seq=record.seq,
            digest=digest_of(line),
            offset=offset,
            end=offset + len(line),
            boot_id=scan.boot_id,
            clock_ns=scan.clock_ns,
            recent=pack(number for at in watching.recent for number in at),
            host=scan.host,
        )
        with self._database:
            self._store.save(scan, watching, reached)
        self.reached = reached


def _opening(line: bytes) -> Opening:
    try:
        return opening(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAnEntryError(line=line, reason=str(error)) from error


@contextlib.contextmanager
def uncollected() -> Generator[None]:
    """Build without looking for cycles of garbage: the rows of what is removed make none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
