"""One segment opened for reading, compressed or not: the same bytes either way.

What is hashed and chained are the uncompressed bytes, so compressing a segment changes nothing that
`verify` looks at, and `zstd -dc SEGMENT` gives an auditor the original. A segment may be compressed
between the moment a reader saw its name and the one it opens it: both names lead to it.

A compressed one is many small frames, so that an entry in it can be read without all before it. One
that is a single frame without a table, as `zstd` makes, is read as well.

Source: RFC 8878 (zstd; a frame that tells its content size and ends in a checksum).
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from typing import Final, Self

from nsledger.ledger import files, zstd_frames
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.layout import COMPRESSED_SUFFIX
from nsledger.ledger.line import MAX_LINE_BYTES

CHUNK_BYTES: Final = 1 << 16
_FRAME_HEADER_BYTES: Final = 18
_GUESS_BYTES: Final = 2048
"""Most lines are shorter."""


class Segment:
    """An open segment. Made by `open`."""

    def __init__(self, descriptor: int, *, compressed: bool) -> None:
        self.descriptor = descriptor
        """Of the file as it is on the disk."""
        self.compressed = compressed
        self.read_bytes = 0
        """Uncompressed bytes that `pieces` gave so far."""
        self._frames: list[zstd_frames.Frame] | None = None
        self._kept: tuple[int, bytes] = -1, b""
        """The frame that was read last, by its place among all, and what it holds."""

    @classmethod
    def open(cls, path: str, *, compressed: bool = False) -> Self:
        """The segment at `path`; the compressed one if it was compressed meanwhile.

        Args:
            path: Its name tells whether it is compressed, too.
            compressed: Whether it is, whatever its name.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        compressed = compressed or path.endswith(COMPRESSED_SUFFIX)
        try:
            return cls(files.open_file(path), compressed=compressed)
        except FileNotFoundError:
            if compressed:
                raise
            return cls(files.open_file(path + COMPRESSED_SUFFIX), compressed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Needed once."""
        os.close(self.descriptor)

    def pieces(self, offset: int = 0, piece_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The uncompressed bytes from `offset` to the end; those of a frame of many at once.

        Raises:
            NotAnEntryError: it is compressed, and not whole zstd frames.
        """
        found = (
            self._decompressed(offset, piece_bytes)
            if self.compressed
            else self._plain(offset, piece_bytes)
        )
        for piece in found:
            self.read_bytes += len(piece)
            yield piece

    def check_whole(self) -> None:
        """Refuse a compressed segment that `zstd -d` would read otherwise, or not to its end.

        Of many frames each is checked when it is read; a single one is decompressed here, so that
        nothing of one that is damaged is believed.

        Raises:
            NotAnEntryError: it would.
        """
        if self.compressed:
            zstd_frames.check_whole(self.descriptor)
            if not zstd_frames.frames_of(self.descriptor):
                for _ in self._streamed(CHUNK_BYTES):
                    pass

    def line_at(self, offset: int) -> bytes:
        """The line that begins at `offset` of the uncompressed bytes; b"" if none ends there.

        Raises:
            NotAnEntryError: it is compressed, and what is wanted of it is no whole frame.
        """
        if self.compressed:
            data = b""
            for piece in self._decompressed(offset, CHUNK_BYTES):
                data += piece
                if b"\n" in piece or len(data) > MAX_LINE_BYTES:
                    break
        else:
            data = os.pread(self.descriptor, _GUESS_BYTES, offset)
            if b"\n" not in data:
                data = files.read_at(self.descriptor, MAX_LINE_BYTES, offset)
        return data[: data.find(b"\n") + 1]

    def _plain(self, offset: int, piece_bytes: int) -> Iterator[bytes]:
        while piece := os.pread(self.descriptor, piece_bytes, offset):
            yield piece
            offset += len(piece)

    def _decompressed(self, offset: int, piece_bytes: int) -> Iterator[bytes]:
        if self._frames is None:
            self._frames = zstd_frames.frames_of(self.descriptor)
        if not self._frames:
            yield from _behind(offset, self._streamed(piece_bytes))
            return
        first = bisect.bisect_right(self._frames, offset, key=lambda frame: frame.begins) - 1
        for number in range(first, len(self._frames)):
            frame = self._frames[number]
            if self._kept[0] != number:
                self._kept = number, zstd_frames.content(self.descriptor, frame)
            piece = self._kept[1][max(0, offset - frame.begins) :]
            if piece:
                yield piece

    def _streamed(self, piece_bytes: int) -> Iterator[bytes]:
        """Of a single frame, which can only be read from its beginning."""
        import zstandard  # noqa: PLC0415 - a young ledger has nothing compressed

        header = files.read_at(self.descriptor, _FRAME_HEADER_BYTES, 0)
        try:
            size_bytes = zstandard.frame_content_size(header)
            if zstd_frames.end_of(self.descriptor, 0) != os.fstat(self.descriptor).st_size:
                raise NotAnEntryError(line=header, reason="needed one whole zstd frame")
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            with (
                os.fdopen(self.descriptor, "rb", closefd=False) as file,
                zstandard.ZstdDecompressor(
                    max_window_size=zstd_frames.LARGEST_WINDOW_BYTES
                ).stream_reader(file, read_size=CHUNK_BYTES) as frame,
            ):
                while piece := frame.read(piece_bytes):
                    size_bytes -= len(piece)
                    yield piece
        except zstandard.ZstdError as error:
            raise NotAnEntryError(line=header, reason=f"needed a zstd frame, {error}") from error
        if size_bytes != 0:
            raise NotAnEntryError(
                line=header, reason="needed a whole zstd frame that tells its size"
            )


def _behind(offset: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What `pieces` hold from `offset` on."""
    for piece in pieces:
        if offset < len(piece):
            yield piece[offset:]
        offset = max(0, offset - len(piece))
