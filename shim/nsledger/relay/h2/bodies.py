"""The DATA of one direction of one stream, as far as somebody wants it: held, or copied.

One object for each call and direction: what is known of the message stands beside its bytes.
"""

from __future__ import annotations

import struct
from typing import Final

# gRPC's length-prefixed messages, as they stand in the DATA of a stream.
#
# Source: gRPC over HTTP/2, section "Requests" (Length-Prefixed-Message).

_PREFIX: Final = struct.Struct(">BL")
PREFIX_BYTES: Final = _PREFIX.size
_COMPRESSED: Final = 1


class UnreadableMessageError(Exception):
    """Not the one plain message that a unary call has."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """A word for `Interceptor.overlooked`: `compressed` or `malformed`."""


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


class HeldRequest:
    """The request of a HOLD call: as much of its DATA as has come."""

    __slots__ = ("_announced_bytes", "_chunks", "complete", "path", "size", "unpaid_bytes")

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self.complete = False
        self.unpaid_bytes = 0
        """What the client spent of its window for it, and was not given back."""
        self._chunks: list[bytes] = []
        self._announced_bytes: int | None = None

    def add(self, data: bytes, *, ends: bool) -> None:
        """The next bytes."""
        self._chunks.append(data)
        self.size += len(data)
        self.complete = ends

    def joined(self) -> bytes:
        """All bytes."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def check(self, limit_bytes: int) -> None:
        """See that the bytes are, or may become, one plain message that is not too long.

        Raises:
            UnreadableMessageError: they are not, with the reason.
        """
        announced = self._announced_bytes
        if announced is None:
            announced = self._announced_bytes = announced_bytes(self.joined())
        if announced is None:
            if self.complete:
                raise UnreadableMessageError("malformed")
            return
        if announced > limit_bytes:
            raise UnreadableMessageError("oversized")
        missing = announced + PREFIX_BYTES - self.size
        if missing < 0 or (missing and self.complete):
            raise UnreadableMessageError("malformed")


class _Copy:
    """The DATA of one direction of one stream, as long as it stays within its limit."""

    __slots__ = ("_chunks", "_limit_bytes", "path", "size")

    def __init__(self, path: str, limit_bytes: int) -> None:
        self.path = path
        self.size = 0
        self._chunks: list[bytes] = []
        self._limit_bytes = limit_bytes

    def add(self, data: bytes) -> None:
        """The next bytes."""
        self.size += len(data)
        if self.size > self._limit_bytes:
            self._chunks.clear()
        else:
            self._chunks.append(data)

    def message(self) -> bytes:
        """The one message that the bytes are.

        Raises:
            UnreadableMessageError: they are not, or were too many.
        """
        if self.size > self._limit_bytes:
            raise UnreadableMessageError("oversized")
        return only_message(b"".join(self._chunks))


class TappedRequest(_Copy):
    """The request of a TAP call."""

    __slots__ = ()


class CopiedResponse(_Copy):
    """What is known so far of the answer to a call that an interceptor follows."""

    __slots__ = ("grpc_status",)

    def __init__(self, path: str, limit_bytes: int) -> None:
        super().__init__(path, limit_bytes)
        self.grpc_status: int | None = None
