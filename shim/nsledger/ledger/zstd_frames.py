"""The frames of a compressed segment and the table of them at its end: one of many can be read.

`zstd -d` passes over the table, which is a skippable frame. Whoever reads by it compares the sizes
that it tells with the file's and the frames' own; what a line says is proved by its hash alone.

Source: zstd's contrib/seekable_format/zstd_seekable_compression_format.md, RFC 8878.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from nsledger.ledger import files
from nsledger.ledger.errors import NotAnEntryError

FRAME_BYTES: Final = 1 << 19
"""What a frame holds: half a millisecond's work, and no more on the disk than with one for all."""
_MOST_BYTES: Final = 1 << 24
"""A reader's memory is bounded by it, whatever a table says."""
_LONGEST_HEADER_BYTES: Final = 18
LARGEST_WINDOW_BYTES: Final = 1 << 27
"""What `zstd -d` takes without being told to; memory is bounded by it."""
_BLOCK_HEADER_BYTES: Final = 3
_REPEATED_BYTE: Final = 1
"""Type of a block that is one byte, many times."""
_SKIPPABLE: Final = 0x184D2A5E
_SEEKABLE: Final = 0x8F92EAB1
_HEADER: Final = struct.Struct("<II")
_ENTRY: Final = struct.Struct("<II")
_FOOTER: Final = struct.Struct("<IBI")


class Frame(NamedTuple):
    """One frame, by where it is in the file and what part of the segment it holds."""

    begins: int
    """Offset of its content in the uncompressed segment."""
    holds_bytes: int
    at: int
    """Its own offset in the file."""
    size_bytes: int


def table(frames: Iterable[tuple[int, int]]) -> bytes:
    """What stands behind frames of these sizes, each with the size of its content."""
    entries = b"".join(_ENTRY.pack(*sizes) for sizes in frames)
    footer = _FOOTER.pack(len(entries) // _ENTRY.size, 0, _SEEKABLE)
    return _HEADER.pack(_SKIPPABLE, len(entries) + len(footer)) + entries + footer


def frames_of(descriptor: int) -> list[Frame]:
    """The frames of a compressed segment in order; none if it has no table.

    Raises:
        NotAnEntryError: the table does not fit the file.
        OSError: it cannot be read.
    """
    file_bytes = os.fstat(descriptor).st_size
    if file_bytes < _HEADER.size + _FOOTER.size:
        return []
    footer = files.read_at(descriptor, _FOOTER.size, file_bytes - _FOOTER.size)
    count, flags, magic = _FOOTER.unpack(footer)
    if magic != _SEEKABLE:
        return []
    table_bytes = _HEADER.size + count * _ENTRY.size + _FOOTER.size
    if flags or table_bytes > file_bytes:
        raise NotAnEntryError(line=footer, reason="needed a table of frames")
    told = files.read_at(descriptor, table_bytes, file_bytes - table_bytes)
    sizes = list(_ENTRY.iter_unpack(told[_HEADER.size : -_FOOTER.size]))
    whole = sum(size for size, _ in sizes) + table_bytes == file_bytes
    whole = whole and told[: _HEADER.size] == _HEADER.pack(_SKIPPABLE, table_bytes - _HEADER.size)
    if not whole or any(holds > _MOST_BYTES for _, holds in sizes):
        raise NotAnEntryError(line=footer, reason="needed a table that fits its frames")
    ats = itertools.accumulate((size for size, _ in sizes), initial=0)
    begins = itertools.accumulate((holds for _, holds in sizes), initial=0)
    return [
        Frame(begin, holds, at, size)
        for (size, holds), at, begin in zip(sizes, ats, begins, strict=False)
    ]


def content(descriptor: int, frame: Frame) -> bytes:
    """What the frame holds.

    Raises:
        NotAnEntryError: it is damaged, or holds something else than the table says.
        OSError: it cannot be read.
    """
    import zstandard  # noqa: PLC0415 - a young ledger has nothing compressed

    content_bytes(descriptor, frame)
    data = files.read_at(descriptor, frame.size_bytes, frame.at)
    try:
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise NotAnEntryError(line=data[:18], reason=f"needed a zstd frame, {error}") from error


def check_whole(descriptor: int) -> None:
    """Refuse a file that is anything else than one frame, or frames and the table that fits them.

    What `zstd -d` makes of the file is then the same as what is read by the table.

    Raises:
        NotAnEntryError: it is.
        OSError: it cannot be read.
    """
    frames = frames_of(descriptor)
    if not frames:
        frames = [Frame(0, -1, 0, os.fstat(descriptor).st_size)]
    for frame in frames:
        if end_of(descriptor, frame.at) != frame.at + frame.size_bytes:
            header = files.read_at(descriptor, _LONGEST_HEADER_BYTES, frame.at)
            raise NotAnEntryError(line=header, reason="needed a whole zstd frame")
        if frame.holds_bytes >= 0:
            content_bytes(descriptor, frame)


def content_bytes(descriptor: int, frame: Frame) -> None:
    """Refuse a frame that says otherwise than its table how much it holds.

    Raises:
        NotAnEntryError: it does.
        OSError: it cannot be read.
    """
    import zstandard  # noqa: PLC0415 - a young ledger has nothing compressed

    header = files.read_at(descriptor, _LONGEST_HEADER_BYTES, frame.at)
    try:
        told = zstandard.get_frame_parameters(header)
        # Asked before memory is taken for it.
        if (
            zstandard.frame_content_size(header) != frame.holds_bytes
            or told.window_size > LARGEST_WINDOW_BYTES
        ):
            raise NotAnEntryError(line=header, reason="needed the frame that its table tells of")
    except zstandard.ZstdError as error:
        raise NotAnEntryError(line=header, reason=f"needed a zstd frame, {error}") from error


def end_of(descriptor: int, at: int) -> int:
    """Where the frame at `at` ends, by its blocks; behind the file's end if it was cut.

    Raises:
        NotAnEntryError: there is no frame.
        OSError: it cannot be read.
    """
    import zstandard  # noqa: PLC0415 - the same

    header = files.read_at(descriptor, _LONGEST_HEADER_BYTES, at)
    try:
        checksum_bytes = 4 if zstandard.get_frame_parameters(header).has_checksum else 0
        at += zstandard.frame_header_size(header)
    except zstandard.ZstdError as error:
        raise NotAnEntryError(line=header, reason=f"needed a zstd frame, {error}") from error
    while len(block := files.read_at(descriptor, _BLOCK_HEADER_BYTES, at)) == _BLOCK_HEADER_BYTES:
        told = int.from_bytes(block, "little")
        is_last, kind, size_bytes = told & 1, told >> 1 & 3, told >> 3
        at += _BLOCK_HEADER_BYTES + (1 if kind == _REPEATED_BYTE else size_bytes)
        if is_last:
            return at + checksum_bytes
    return at + _BLOCK_HEADER_BYTES
