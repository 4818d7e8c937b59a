"""Reading a ledger from its end: the newest entries of a long one at once, in constant memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Final

from nsledger.ledger import files, place
from nsledger.ledger.chain import MAX_LINE_BYTES
from nsledger.ledger.entry import Entry
from nsledger.ledger.errors import NotAnEntryError

_CHUNK_BYTES: Final = 1 << 16


def entries_backwards(path: str) -> Iterator[Entry]:
    """The entries of the ledger at `path` from where it ends now, back to its first.

    Raises:
        NoLedgerError: there is none.
        NotAnEntryError: at a line that is none.
        OSError: a segment cannot be read.
    """
    for _, segment_path in reversed(place.find(path).segments):
        segment = files.open_file(segment_path)
        try:
            yield from map(Entry.parse, lines_backwards(segment))
        finally:
            os.close(segment)


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
        yield from reversed(list(io.BytesIO(data[begin:])))
        kept = data[:begin]
        if len(kept) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=kept, reason=f"needed a newline in {MAX_LINE_BYTES} bytes")
