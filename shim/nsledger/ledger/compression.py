"""A closed segment becomes its compressed self, beside the writer and never in its way.

Only for the process that holds the ledger's lock, and never for the newest segment. Whatever moment
it dies at, one whole copy is there: the compressed file gets its name after it was synced, read
back and found equal, and the plain one goes after that name is durable.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import zstandard

from nsledger.ledger import files, layout, zstd_frames
from nsledger.ledger.errors import LedgerError, NotAnEntryError
from nsledger.ledger.segment import Segment

LEVEL: Final = 3
"""Of zstd. -9 is three times slower for a tenth less."""
_PIECE_BYTES: Final = zstd_frames.FRAME_BYTES
"""Between two of them it can be called off; hashing and compressing it lets other threads run."""


class CompressionError(LedgerError):
    """What was compressed does not read back as what it was. The plain segment stays."""

    hint = "The disk or the memory of this node alters what is written."

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: read back other bytes than were compressed")
        self.path = path


def clear_unfinished(directory: str) -> None:
    """Remove compressed segments that a process which died had begun to make."""
    for name in os.listdir(directory):
        if name.endswith(layout.COMPRESSED_SUFFIX + layout.UNFINISHED_SUFFIX):
            os.unlink(os.path.join(directory, name))


def closed_segments(directory: str) -> list[str]:
    """The names of the plain segments that nobody appends to any more, the oldest first."""
    names = [name for _, name in layout.segment_names(os.listdir(directory))]
    return [name for name in names[:-1] if not name.endswith(layout.COMPRESSED_SUFFIX)]


def compress(directory: str, name: str, *, called_off: Callable[[], bool]) -> bool:
    """Compress the closed segment `name`; False if it was called off before the end.

    Args:
        directory: The ledger's.
        name: Of the plain segment, which is gone afterwards.
        called_off: Asked every few milliseconds.

    Raises:
        CompressionError: the compressed file is not what it was made from.
        OSError: the disk refuses. The plain segment is still there.
    """
    plain = os.path.join(directory, name)
    compressed = plain + layout.COMPRESSED_SUFFIX
    unfinished = compressed + layout.UNFINISHED_SUFFIX
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    try:
        digest = _write_frames(plain, unfinished, called_off)
        if digest is None:
            os.unlink(unfinished)
            return False
        _check(unfinished, digest)
    except (OSError, LedgerError):
        with contextlib.suppress(OSError):  # the caller hears of the first failure
            os.unlink(unfinished)
        raise
    os.rename(unfinished, compressed)
    files.sync_directory(directory)
    os.unlink(plain)
    files.sync_directory(directory)
    return True


def _write_frames(plain: str, unfinished: str, called_off: Callable[[], bool]) -> bytes | None:
    """Write the frames, durably; the SHA-256 of what is in them, None if it was called off."""
    hashed = sha256()
    target = files.create_file(unfinished, layout.FILE_MODE)
    try:
        with Segment.open(plain) as segment:
            compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
            sizes: list[tuple[int, int]] = []
            offset = 0
            for piece in segment.pieces(piece_bytes=_PIECE_BYTES):
                if called_off():
                    return None
                hashed.update(piece)
                frame = compressor.compress(piece)
                files.write_at(target, frame, offset)
                sizes.append((len(frame), len(piece)))
                offset += len(frame)
            files.write_at(target, zstd_frames.table(sizes), offset)
        os.fsync(target)
    finally:
        os.close(target)
    return hashed.digest()


def _check(unfinished: str, digest: bytes) -> None:
    hashed = sha256()
    try:
        with Segment.open(unfinished, compressed=True) as segment:
            for piece in segment.pieces(piece_bytes=_PIECE_BYTES):
                hashed.update(piece)
    except NotAnEntryError as error:
        raise CompressionError(path=unfinished) from error
    if hashed.digest() != digest:
        raise CompressionError(path=unfinished)
