"""Reading a ledger, also one that is being written: no lock, constant memory.

A reader sees whole lines only; a last line without its newline is not there yet. It does not check
that entries follow one another, that is what `verify` is for.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from nsledger.ledger import place
from nsledger.ledger.chain import MAX_LINE_BYTES
from nsledger.ledger.entry import Entry
from nsledger.ledger.errors import NotAnEntryError

_PROBE_BYTES: Final = 1 << 14


def entries(path: str, start_seq: int = 1) -> Iterator[Entry]:
    """The entries of the ledger at `path` from `start_seq` on, to where it ends by then.

    A segment that is removed by the rules of retention meanwhile is passed over.

    Raises:
        NoLedgerError: there is none.
        NotAnEntryError: at a line that is none.
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
            for line in whole_lines(segment.pieces(offset)):
                entry = Entry.parse(line)
                if entry.seq >= start_seq:
                    yield entry


def follow(path: str, start_seq: int = 1, *, wait: Callable[[], bool]) -> Iterator[Entry]:
    """Like `entries`, and what comes later too.

    `wait` is called whenever everything was yielded: it returns True after a while to look again,
    False to end.
    """
    next_seq = start_seq
    while True:
        for entry in entries(path, next_seq):
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
        yield from io.BytesIO(data[:end])
        rest = data[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=rest, reason=f"needed a newline in {MAX_LINE_BYTES} bytes")


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
