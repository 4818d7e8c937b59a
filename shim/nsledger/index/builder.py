"""Takes an index from where it stands to the end of its ledger."""

from __future__ import annotations

import contextlib
import gc
import io
import sqlite3
from collections.abc import Callable, Generator, Iterator
from hashlib import sha256
from typing import Final

import msgspec

from nsledger import bounds
from nsledger.index.entries import (
    DIGEST_CHARACTERS,
    Entries,
    IndexAlteredError,
    Pointer,
    is_sealed,
    pack,
    seal,
    unpack,
)
from nsledger.index.skim import Opening, Pod, Skimmed, opening, skim
from nsledger.index.store import Mark, Store, resume
from nsledger.index.telling import ABOUT_PODS, Telling, Watching
from nsledger.ledger import place
from nsledger.ledger.errors import LedgerDamagedError, NotAnEntryError
from nsledger.ledger.line import MAX_LINE_BYTES, Entry, Head, check_whole
from nsledger.ledger.segment import Segment
from nsledger.ledger.verify import verify
from nsledger.model.instants import NotAnInstantError
from nsledger.model.record import decode

_PIECE_BYTES: Final = 1 << 20


def lines(path: str, after_seq: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """Offset and line of every entry after `after_seq`, whose segment goes on at `offset`.

    An offset counts from the beginning of its segment, in what a compressed one holds. Lines are
    not checked here; whoever takes one for true compares its hash. Where a segment holds no lines
    any more (a damaged zstd frame, a megabyte without a newline), an empty one stands for the rest.

    Raises:
        NoLedgerError: there is no ledger at `path`.
        OSError: a segment cannot be read.
    """
    segments = place.find(path).segments
    ends = [*(first_seq for first_seq, _ in segments[1:]), None]
    for (first_seq, segment_path), end in zip(segments, ends, strict=True):
        if end is not None and end <= after_seq:
            continue
        with place.opened(segment_path) as segment:
            if segment is not None:
                try:
                    yield from lines_of(segment, offset if first_seq <= after_seq else 0)
                except NotAnEntryError:
                    yield 0, b""


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


def _read(line: bytes) -> Skimmed | Opening | None:
    """The record on `line` as far as it is needed; None if it is no entry of a ledger."""
    try:
        bounds.check_depth(line, bounds.RECORD_DEPTH)
        return skim(line)
    except bounds.OutOfBoundsError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        Entry.parse(line)
        check_whole(line)
        return opening(line)
    except (NotAnEntryError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


BATCH: Final = 50_000
"""Entries in one transaction of a build: a row that changes on and on is written once in it."""

Progress = Callable[[int], object]
"""Told how many bytes of the ledger were taken in since the last call."""


class Builder:
    """An index that is being written, by nobody else. Keeps what is open between two calls."""

    def __init__(
        self, database: sqlite3.Connection, ledger: str, reached: Mark, *, sealed: str | None = None
    ) -> None:
        """`sealed` is the path of an index that is kept sealed; what is there is sealed by now."""
        self.reached = reached
        """Up to where the index goes."""
        self._sealed = sealed
        self._database = database
        self._ledger = ledger
        self._scan = resume(database, reached)
        pointers = {at.seq: at for at in unpack(reached.recent)}
        recent = Entries(ledger).read(pointers.values()) if pointers else ()
        self._store = Store(database)
        self._telling = self._resumed(reached)
        self._is_damaged = False
        self._watching = Watching((pointers[one.seq], decode(one.line)) for one in recent)

    def _resumed(self, reached: Mark) -> Telling:
        telling = Telling(self._scan, reached.period)
        entries = Entries(self._ledger)
        last = self._database.execute(
            "SELECT entry FROM node WHERE event = 'daemon.started' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        for entry in entries.read(unpack(last[0])) if last else ():
            telling.take_facts(entry.line)
        at = {one.seq: one for one in unpack(reached.pending)}
        for entry in entries.read(at.values()) if at else ():
            asked = skim(entry.line)
            telling.pending.setdefault(asked.audit_id, []).append(
                (asked.pod or Pod(), at[entry.seq])
            )
        return telling

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
            LedgerError: there is no ledger.
            OSError: it cannot be read.
            sqlite3.Error: the index cannot be written.
            IndexAlteredError: somebody else wrote it.
        """
        before: Skimmed | Opening | None = None
        before_at, before_line = 0, b""
        head = self._head()
        digest = head.digest
        next_seq = head.seq + 1
        count, began_at = 0, 0
        read_bytes = 0
        apply = self._apply
        for offset, line in lines(self._ledger, self.reached.seq, self.reached.end):
            read_bytes += len(line)
            record = _read(line)
            if record is None or record.seq < next_seq:
                self._is_damaged = True
                continue
            if record.prev != digest:
                self._is_damaged = True
                if record.seq == next_seq:
                    before = None  # that is not what stood there when its hash was written down
            elif record.seq != next_seq:
                self._is_damaged = True
            if before is not None:
                apply(before, before_at, before_line, digest)
                if count >= batch:
                    self._commit(before, before_at, before_line, digest)
                    count = 0
                    if progress is not None:
                        progress(read_bytes - began_at)
                        began_at = read_bytes
                    if not go_on():
                        return
            before, before_at, before_line = record, offset, line
            digest = sha256(line).hexdigest()
            next_seq = record.seq + 1
            count += 1
        if before is not None:
            apply(before, before_at, before_line, digest)
            self._commit(before, before_at, before_line, digest)
        if progress is not None and read_bytes > began_at:
            progress(read_bytes - began_at)

    def _head(self) -> Head:
        """What the next entry has to follow."""
        if self.reached.seq:
            return Head(self.reached.seq, self.reached.digest)
        return place.find(self._ledger).before

    def _damage(self) -> tuple[int, str]:
        """The first entry that is not what was written, and what is wrong with it."""
        known = self.reached.damaged_seq, self.reached.damage
        if known[0] or not self._is_damaged:
            return known
        try:
            verify(self._ledger)
        except LedgerDamagedError as error:
            return error.seq, str(error)
        self._is_damaged = False
        return known

    def _apply(self, record: Skimmed | Opening, offset: int, line: bytes, digest: str) -> None:
        at = record.seq, offset, int(digest[:DIGEST_CHARACTERS], 16)
        if isinstance(record, Opening):
            self._scan.odd.append(at)
            return
        try:
            self._telling.apply(record, at, line)
            self._scan.apply(record, at)
            if record.event in ABOUT_PODS:
                self._watching.last = at, line
            else:
                self._watching.apply(Pointer(*at), line)
        except NotAnInstantError:
            self._scan.odd.append(at)

    def _commit(self, record: Skimmed | Opening, offset: int, line: bytes, digest: str) -> None:
        scan, telling, watching = self._scan, self._telling, self._watching
        watching.catch_up()
        damaged_seq, damage = self._damage()
        reached = Mark(
            seq=record.seq,
            digest=digest,
            offset=offset,
            end=offset + len(line),
            boot_id=scan.boot_id,
            clock_ns=scan.clock_ns,
            recent=pack(number for at in watching.recent for number in at),
            host=scan.host,
            pending=pack(
                number for asked in telling.pending.values() for _, at in asked for number in at
            ),
            period=telling.so_far,
            damaged_seq=damaged_seq,
            damage=damage,
        )
        if self._sealed is not None and not is_sealed(self._sealed):
            raise IndexAlteredError(path=self._sealed)
        with self._database:
            self._store.save(scan, telling, watching, reached)
        if self._sealed is not None:
            seal(self._sealed)
        self.reached = reached


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
