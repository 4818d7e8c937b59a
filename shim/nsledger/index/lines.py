"""The lines of a ledger with their places, quickly: what an index is built from.

A line's offset counts from the beginning of its segment, in what a compressed one holds. Lines are
not checked here; whoever takes one for true compares its hash.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

from nsledger.ledger import place
from nsledger.ledger.chain import MAX_LINE_BYTES
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.segment import Segment

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
