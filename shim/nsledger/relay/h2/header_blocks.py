"""The header blocks of one direction: put together from their frames, and read.

Source: RFC 9113 sections 4.3, 6.2, 6.6 and 6.10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nsledger.relay.h2.frames import (
    END_HEADERS,
    END_STREAM,
    PADDED,
    FrameError,
    payload_of,
    uint31_of,
)
from nsledger.relay.h2.hpack import Field, HeaderBlockError, HeaderDecoder, changes_nothing

_MOST_BLOCK_BYTES: Final = 1 << 20
"""A longer header block is not put together (grpc's own limit for all metadata is lower)."""
_PROMISED_ID_BYTES: Final = 4

Block = tuple[int, bytes, bool]
"""A complete header block: its stream, its bytes, whether it ends the stream."""


class HeaderBlocks:
    """What stands between HEADERS and END_HEADERS, and the HPACK context of it all.

    Once a block cannot be read, none behind it can: the context is gone.
    """

    __slots__ = ("_decoder", "_ends", "_fragments", "_lost", "_size", "open_stream")

    def __init__(self, decoder: HeaderDecoder, lost: Callable[[str], None]) -> None:
        """`lost` is told, once, why no more blocks can be read."""
        self._decoder: HeaderDecoder | None = decoder
        self._lost = lost
        self._fragments: list[bytes] = []
        self._size = 0
        self._ends = False
        self.open_stream: int | None = None
        """The stream whose block has begun and not ended: only CONTINUATION may follow."""

    def headers(self, flags: int, stream_id: int, payload: bytes) -> Block | None:
        """HEADERS: the block if it is complete.

        Raises:
            FrameError: not a frame that may stand here.
        """
        if self.open_stream is not None:
            raise FrameError
        payload = payload_of(payload, flags)
        ends = flags & END_STREAM != 0
        if flags & END_HEADERS:
            return stream_id, payload, ends
        self._begin(stream_id, payload, ends=ends)
        return None

    def push_promise(self, flags: int, stream_id: int, payload: bytes) -> Block | None:
        """PUSH_PROMISE: gRPC has none, but its block would count.

        Raises:
            FrameError: not a frame that may stand here.
        """
        if self.open_stream is not None:
            raise FrameError
        payload = payload_of(payload, flags & PADDED)
        promised_id = uint31_of(payload)
        fragment = payload[_PROMISED_ID_BYTES:]
        if flags & END_HEADERS:
            return promised_id, fragment, False
        self._begin(stream_id, fragment, ends=False)
        return None

    def continuation(self, flags: int, stream_id: int, payload: bytes) -> Block | None:
        """CONTINUATION: the block if it is complete now.

        Raises:
            FrameError: it continues nothing.
        """
        if self.open_stream != stream_id:
            raise FrameError
        self._fragments.append(payload)
        self._size += len(payload)
        if self._size > _MOST_BLOCK_BYTES:
            self.give_up("oversized_headers")
            self._fragments.clear()
        if not flags & END_HEADERS:
            return None
        block = b"".join(self._fragments)
        self._fragments.clear()
        self.open_stream = None
        return stream_id, block, self._ends

    def skip(self, flags: int, stream_id: int) -> None:
        """One of the three frames is too long to be looked at."""
        self._fragments.clear()
        self.open_stream = None if flags & END_HEADERS else stream_id

    def read(self, block: bytes, *, needed: bool) -> list[Field] | None:
        """The fields of the next block; None if they cannot be read, or need not be.

        Every block must come here in its turn, `needed` or not.
        """
        if self._decoder is None or (not needed and changes_nothing(block)):
            return None
        try:
            return self._decoder.decode(block)
        except HeaderBlockError:
            self.give_up("undecodable_headers")
            return None

    def give_up(self, reason: str) -> None:
        """Read no more blocks."""
        if self._decoder is not None:
            self._decoder = None
            self._lost(reason)

    def _begin(self, stream_id: int, fragment: bytes, *, ends: bool) -> None:
        self._fragments.append(fragment)
        self._size = len(fragment)
        self._ends = ends
        self.open_stream = stream_id
