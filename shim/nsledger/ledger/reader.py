"""Reading a ledger, also one that is being written: no lock, constant memory.

A reader sees whole lines only; a last line without its newline is not there yet. It does not check
that entries follow one another, that is what `verify` is for.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final

import msgspec

from nsledger.ledger import files, place
from nsledger.ledger.errors import LedgerError, NotAnEntryError
from nsledger.ledger.line import GENESIS, MAX_LINE_BYTES, TOO_LONG, Entry, Head
from nsledger.ledger.segment import Segment

_PROBE_BYTES: Final = 1 << 14


Damaged = Callable[[NotAnEntryError], object]
"""Told of a line that is no entry, or of a segment that has no more lines; it is passed over."""


def entries(path: str, start_seq: int = 1, *, damaged: Damaged | None = None) -> Iterator[Entry]:
    """The entries of the ledger at `path` from `start_seq` on, to where it ends by then.

    A segment that is removed by the rules of retention meanwhile is passed over.

    Raises:
        NoLedgerError: there is none.
        NotAnEntryError: at a line that is none, if nobody is to be told.
        OSError: a segment cannot be read.
    """
    segments = place.find(path).segments
    ends = [*(first_seq for first_seq, _ in segments[1:]), None]
    for (_, segment_path), end in zip(segments, ends, strict=True):
        if end is not None and end <= start_seq:
            continue
        with place.opened(segment_path) as segment:
            if segment is None:
                continue
            offset = 0 if segment.compressed else _offset_near(segment.descriptor, start_seq)
            for entry in _parsed(whole_lines(segment.pieces(offset)), damaged):
                if entry.seq >= start_seq:
                    yield entry


def _parsed(lines: Iterable[bytes], damaged: Damaged | None) -> Iterator[Entry]:
    found = iter(lines)
    while True:
        try:
            line = next(found, None)
            if line is None:
                return
            entry = Entry.parse(line)
        except NotAnEntryError as error:
            if damaged is None:
                raise
            damaged(error)
            continue
        yield entry


def follow(
    path: str, start_seq: int = 1, *, wait: Callable[[], bool], damaged: Damaged | None = None
) -> Iterator[Entry]:
    """Like `entries`, and what comes later too.

    `wait` is called whenever everything was yielded: it returns True after a while to look again,
    False to end.
    """
    next_seq = start_seq
    while True:
        for entry in entries(path, next_seq, damaged=damaged):
            yield entry
            next_seq = entry.seq + 1
        if not wait():
            return


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The complete lines in a sequence of pieces, each with its newline.

    Raises:
        NotAnEntryError: a line is longer than any entry can be.
    """
    rest = b""
    for piece in pieces:
        data = rest + piece
        end = data.rfind(b"\n") + 1
        yield from _within_bounds(io.BytesIO(data[:end]), end)
        rest = data[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=rest, reason=TOO_LONG)


def _within_bounds(lines: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """`lines`, all together `size_bytes`, as far as each is one that an entry can have."""
    if size_bytes <= MAX_LINE_BYTES:
        yield from lines
        return
    for line in lines:
        if len(line) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=line, reason=TOO_LONG)
        yield line


def _offset_near(segment: int, seq: int) -> int:
    """Where a line begins that is not behind entry `seq`, and not far before it.

    Halves the file and looks at one line each time. Where it finds no entry (a damaged or a very
    long line), it stays on the safe side, which is the beginning.
    """
    low, high = 0, os.fstat(segment).st_size
    while high - low > _PROBE_BYTES:
        middle = (low + high) // 2
        probe = os.pread(segment, _PROBE_BYTES, middle)
        begin = probe.find(b"\n") + 1
        end = probe.find(b"\n", begin) + 1
        try:
            found = Entry.parse(probe[begin:end]).seq if begin and end else None
        except NotAnEntryError:
            return low
        if found is None or found > seq:
            high = middle
        else:
            low = middle + begin
    return low


# Where somebody who reads a ledger again and again has got to, and whether it can be gone on
# from.
#
# A cursor is the number of the last entry that was read and the hash of its line, `12:9a0f…`:
# what a
# reader has in hand after each line. The hash tells whether the ledger is still the one it was
# read
# from; a number alone would go on in another one without a word.

_CURSOR: Final = re.compile(r"(0|[1-9][0-9]{0,18}):([0-9a-f]{64})").fullmatch


class NotACursorError(LedgerError):
    """A text that names no place in a ledger."""

    def __init__(self, *, text: str) -> None:
        super().__init__(f"found {text[:80]!r}, needed SEQ:HASH")


class CursorReplacedError(LedgerError):
    """The ledger does not hold what the cursor was taken from."""

    hint = (
        "The ledger was replaced, cut or rewritten since: `nsledger verify` with a checkpoint "
        "tells more. Without --cursor it is read from its beginning."
    )

    def __init__(self, *, cursor: Head, found: str) -> None:
        super().__init__(f"found {found}, needed entry {cursor.seq} with the hash {cursor.digest}")
        self.cursor = cursor


class CursorPrunedError(LedgerError):
    """Entries behind the cursor were removed by the rules of retention before they were read."""

    hint = "Read on from the beginning, without --cursor, and keep more or read more often."

    def __init__(self, *, cursor: Head, before: Head) -> None:
        super().__init__(
            f"found a ledger that begins with entry {before.seq + 1}, needed entry "
            f"{cursor.seq + 1}: {before.seq - cursor.seq} were removed by retention"
        )
        self.cursor, self.before = cursor, before


def parse(text: str) -> Head:
    """The cursor that `text`, `SEQ:HASH`, stands for.

    Raises:
        NotACursorError: it is none.
    """
    found = _CURSOR(text)
    if found is None:
        raise NotACursorError(text=text)
    return Head(seq=int(found[1]), digest=found[2])


def check(path: str, cursor: Head) -> None:
    """Refuse a cursor from which nobody can go on in the ledger at `path` without a hole.

    Raises:
        CursorPrunedError: what comes next was removed by the rules.
        CursorReplacedError: the entry is not there, or is another one.
        LedgerError: there is no ledger.
        OSError: it cannot be read.
    """
    before = place.find(path).before
    if cursor.seq < before.seq:
        raise CursorPrunedError(cursor=cursor, before=before)
    if cursor.seq == before.seq:
        found = before
    else:
        entry = next(entries(path, cursor.seq), None)
        if entry is None or entry.seq != cursor.seq:
            raise CursorReplacedError(cursor=cursor, found="a ledger without that entry")
        found = entry.head
    if found != cursor:
        beginning = " (the ledger's beginning)" if found == GENESIS else ""
        raise CursorReplacedError(cursor=cursor, found=f"the hash {found.digest}{beginning}")


class _First(msgspec.Struct):
    seq: int
    ledger_id: str = ""


def id_told_by(line: bytes) -> str | None:
    """The id of the ledger that begins with `line`; None if it does not tell, or is a later one."""
    try:
        first = msgspec.json.decode(line, type=_First)
    except msgspec.DecodeError:
        return None
    return (first.ledger_id or None) if first.seq == 1 else None


def ledger_id(path: str) -> str | None:
    """The id that the first record of the ledger at `path` gives it.

    Where that record was removed by the rules of retention, what `pruned.json` repeats of it; None
    where the beginning is not here otherwise: it is a later segment, or has no entry yet.

    Raises:
        LedgerError: there is no ledger, or its first line is no entry.
        OSError: it cannot be read.
    """
    pruned = place.find(path).pruned
    if pruned is not None:
        return pruned.ledger_id or None
    first = next(entries(path), None)
    return None if first is None else id_told_by(first.line)


_CHUNK_BYTES: Final = 1 << 16


def entries_backwards(path: str, *, damaged: Damaged | None = None) -> Iterator[Entry]:
    """The entries of the ledger at `path` from where it ends now, back to its first.

    Raises:
        NoLedgerError: there is none.
        NotAnEntryError: at a line that is none.
        OSError: a segment cannot be read.
    """
    for _, segment_path in reversed(place.find(path).segments):
        with place.opened(segment_path) as segment:
            if segment is None:
                return
            with _with_an_end(segment) as descriptor:
                yield from _parsed(lines_backwards(descriptor), damaged)


@contextlib.contextmanager
def _with_an_end(segment: Segment) -> Generator[int]:
    """A file with the uncompressed bytes: one can only seek to the end of what has one."""
    if not segment.compressed:
        yield segment.descriptor
        return
    with tempfile.TemporaryFile() as whole:
        whole.writelines(segment.pieces())
        whole.flush()
        yield whole.fileno()


def lines_backwards(descriptor: int, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
    """The complete lines of a file as long as it is now, the last one first.

    Raises:
        NotAnEntryError: a line is longer than any entry can be.
    """
    offset = os.fstat(descriptor).st_size
    unfinished = True
    kept = b""
    while offset > 0:
        size = min(chunk_bytes, offset)
        offset -= size
        data = files.read_at(descriptor, size, offset) + kept
        if unfinished:
            data = data[: data.rfind(b"\n") + 1]
            unfinished = not data
        begin = data.find(b"\n") + 1 if offset else 0
        yield from _within_bounds(reversed(list(io.BytesIO(data[begin:]))), len(data))
        kept = data[:begin]
        if len(kept) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=kept, reason=TOO_LONG)
