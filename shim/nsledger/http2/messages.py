"""gRPC's length-prefixed messages, as they stand in the DATA of a stream.

Source: gRPC over HTTP/2, section "Requests" (Length-Prefixed-Message).
"""

from __future__ import annotations

import struct
from typing import Final

_PREFIX: Final = struct.Struct(">BL")
PREFIX_BYTES: Final = _PREFIX.size
_COMPRESSED: Final = 1


class UnreadableMessageError(Exception):
    """Not the one plain message that a unary call has."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """A word for `Watcher.overlooked`: `compressed` or `malformed`."""


def prefix(size_bytes: int) -> bytes:
    """What stands before a message of that size, not compressed."""
    return _PREFIX.pack(0, size_bytes)


def announced_bytes(body: bytes) -> int | None:
    """How long the message that starts `body` is; None as long as its prefix is not complete.

    Raises:
        UnreadableMessageError: it is compressed, or nothing that gRPC knows.
    """
    if len(body) < PREFIX_BYTES:
        return None
    flag, length = _PREFIX.unpack_from(body)
    if flag:
        raise UnreadableMessageError("compressed" if flag == _COMPRESSED else "malformed")
    return int(length)


def only_message(body: bytes) -> bytes:
    """The message of a unary request or answer.

    Raises:
        UnreadableMessageError: none, more than one, an incomplete or a compressed one.
    """
    if announced_bytes(body) != len(body) - PREFIX_BYTES:
        raise UnreadableMessageError("malformed")
    return body[PREFIX_BYTES:]
