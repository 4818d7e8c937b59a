"""Reading a ledger from its end: the newest entries of a long one at once, in constant memory."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Generator, Iterator
from typing import Final

from nsledger.ledger import files, place
from nsledger.ledger.chain import MAX_LINE_BYTES
from nsledger.ledger.entry import Entry
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.segment import Segment

_CHUNK_BYTES: Final = 1 << 16


def entries_backwards(path: str) -> Iterator[Entry]:
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
                yield from map(Entry.parse, lines_backwards(descriptor))


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
        yield from reversed(list(io.BytesIO(data[begin:])))
        kept = data[:begin]
        if len(kept) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=kept, reason=f"needed a newline in {MAX_LINE_BYTES} bytes")
