"""The lines of a ledger with their places, quickly: what an index is built from.

A line's offset counts from the beginning of its segment. Lines are not checked here; whoever takes
one for true compares its hash.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Final

from nsledger.ledger import files, place
from nsledger.ledger.chain import MAX_LINE_BYTES
from nsledger.ledger.errors import NotAnEntryError

_CHUNK_BYTES: Final = 1 << 20


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
        if end is not None and end <= after_seq + 1 and not (after_seq >= first_seq):
            continue
        if end is not None and end <= after_seq:
            continue
        begin = offset if first_seq <= after_seq else 0
        segment = files.open_file(segment_path)
        try:
            yield from _lines_of(segment, begin)
        finally:
            os.close(segment)


def _lines_of(segment: int, offset: int) -> Iterator[tuple[int, bytes]]:
    at, rest = offset + 0, b""
    while chunk := os.pread(segment, _CHUNK_BYTES, offset):
        offset += len(chunk)
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        for line in io.BytesIO(data[:end]):
            yield at, line
            at += len(line)
        rest = data[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=rest, reason=f"needed a newline in {MAX_LINE_BYTES} bytes")
