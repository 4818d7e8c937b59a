"""HTTP/2 frames: their numbers, their nine byte header, and those few that the relay makes itself.

Source: RFC 9113 sections 4.1 (format), 6 (types) and 7 (error codes).
"""

from __future__ import annotations

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (RFC 9113 section 3.4)."""

FRAME_HEADER: Final = struct.Struct(">HBBBL")
"""Length (upper 16 bits, lower 8), type, flags, stream; the stream's top bit is reserved."""
FRAME_HEADER_BYTES: Final = FRAME_HEADER.size

DATA: Final = 0x0
HEADERS: Final = 0x1
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY: Final = 0x20

SETTINGS_HEADER_TABLE_SIZE: Final = 0x1
SETTINGS_INITIAL_WINDOW_SIZE: Final = 0x4

NO_ERROR: Final = 0x0
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8

INITIAL_WINDOW_BYTES: Final = 65_535
"""Of every window until something else is said (RFC 9113 section 6.9.2)."""
SMALLEST_MAX_FRAME_BYTES: Final = 16_384
"""No peer may announce a lower SETTINGS_MAX_FRAME_SIZE: frames of this size are always welcome."""
LAST_STREAM_ID: Final = 2**31 - 1

_U32: Final = struct.Struct(">L")
_SETTING: Final = struct.Struct(">HL")
_PRIORITY_BYTES: Final = 5


class FrameError(Exception):
    """A frame's payload is not what its type says; the peers will find the same and hang up."""


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """A whole frame."""
    return frame_header(kind, flags, stream_id, len(payload)) + payload


def frame_header(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """What stands before a payload of `length` bytes."""
    return FRAME_HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream_id)


def window_update(stream_id: int, increment: int) -> bytes:
    """WINDOW_UPDATE; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, _U32.pack(increment))


def rst_stream(stream_id: int, error_code: int) -> bytes:
    """RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, _U32.pack(error_code))


def goaway(last_stream_id: int) -> bytes:
    """GOAWAY without an error."""
    return frame(GOAWAY, 0, 0, _U32.pack(last_stream_id) + _U32.pack(NO_ERROR))


def payload_of(payload: bytes, flags: int) -> bytes:
    """The content of a DATA, HEADERS or PUSH_PROMISE frame: padding and priority taken off.

    Raises:
        FrameError: more padding than payload.
    """
    if not flags & (PADDED | PRIORITY):
        return payload
    start, stop = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise FrameError
        start = 1
        stop -= payload[0]
    if flags & PRIORITY:
        start += _PRIORITY_BYTES
    if start > stop:
        raise FrameError
    return payload[start:stop]


def uint31_of(payload: bytes) -> int:
    """The number that a WINDOW_UPDATE consists of and a GOAWAY or PUSH_PROMISE starts with.

    Raises:
        FrameError: the payload is too short.
    """
    if len(payload) < _U32.size:
        raise FrameError
    number: int = _U32.unpack_from(payload)[0]
    return number & LAST_STREAM_ID


def settings_of(payload: bytes) -> list[tuple[int, int]]:
    """The (identifier, value) pairs of a SETTINGS frame, in their order.

    Raises:
        FrameError: the payload is not a whole number of settings.
    """
    if len(payload) % _SETTING.size:
        raise FrameError
    return list(_SETTING.iter_unpack(payload))
