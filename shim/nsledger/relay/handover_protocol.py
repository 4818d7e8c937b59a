"""How one `nsledger serve` gives its sockets and its ledger to the next: the words between the two.

Over a control socket beside the kubelet's, for the same user only, one JSON object on a line:

    successor     predecessor
    take_over  ->              I am here and ready to be given the sockets
               <-  offer       with the descriptors: listening socket, lock, control socket
    serving    ->              I accept from now on: stop, and let the ledger go
               <-  let_go      the ledger is synced and closed, open it
               <-  batch       what became known of my last calls: record it
    kept       ->              it is recorded, or mine to record as soon as that works

Whoever dies in between leaves the other with all that it needs: before `serving` nothing has
changed, after it the successor shares the very descriptors.

Source: unix(7), SCM_RIGHTS and SO_PEERCRED.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from nsledger import bounds
from nsledger.errors import NsledgerError
from nsledger.model.record import Moment

DESCRIPTORS: Final = 3
"""Listening socket, lock, control socket: in this order."""

_LONGEST_LINE_BYTES: Final = 64 << 20
_READ_BYTES: Final = 64 << 10
_CREDENTIALS: Final = struct.Struct("3i")


class TakeOver(msgspec.Struct, frozen=True, tag="take_over"):
    """The successor is ready to be given the sockets."""

    pid: int


class Offer(msgspec.Struct, frozen=True, tag="offer"):
    """Here they are; `dev` and `ino` are those of the socket's file."""

    pid: int
    dev: int
    ino: int


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """The successor accepts."""


class LetGo(msgspec.Struct, frozen=True, tag="let_go"):
    """The ledger can be opened."""


class Told(msgspec.Struct, frozen=True):
    """One event and its moment. The event stays as it is: a newer version may have named it."""

    at: Moment
    event: msgspec.Raw


class Batch(msgspec.Struct, frozen=True, tag="batch"):
    """What the predecessor would have recorded."""

    told: tuple[Told, ...]
    sync: bool = False


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """The batch is the successor's now; `error` says why it is not in the ledger yet."""

    error: str = ""


Message = TakeOver | Offer | Serving | LetGo | Batch | Kept
_M = TypeVar("_M", bound=Message)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Message).decode


class HandoverError(NsledgerError):
    """The other process did not say what the protocol says next."""

    hint = "Stop the running nsledger and start the new one: calls fail in between, nothing else."

    def __init__(self, *, found: str, needed: str) -> None:
        super().__init__(f"hand-over: found {found}; {needed}")
        self.found = found


class HandoverConnection:
    """One end of the conversation. Closed by whoever owns it; the other end then hears of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.descriptors: list[int] = []
        """What came along with the messages so far; the receiver's to close."""

    @property
    def peer_uid(self) -> int:
        """The user of the process that connected, or listens, as the kernel knows it."""
        told = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        uid: int = _CREDENTIALS.unpack(told)[1]
        return uid

    def say(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message, and descriptors with it.

        Raises:
            OSError: the other process is gone, or does not read.
        """
        line = _encode(message) + b"\n"
        sent = socket.send_fds(self._sock, [line], list(descriptors)) if descriptors else 0
        if rest := line[sent:]:  # to one who has read it all and left, even nothing cannot be sent
            self._sock.sendall(rest)

    def hear(self, kind: type[_M], *, timeout_s: float | None) -> _M:
        """The next message, which has to be of `kind`.

        Raises:
            HandoverError: it is another, or none at all.
            OSError: the other process ended the conversation (`ConnectionError`), or said nothing
                for `timeout_s` (`TimeoutError`).
        """
        self._sock.settimeout(timeout_s)
        line = self._line()
        try:
            bounds.check_depth(line, bounds.CONTROL_WORD_DEPTH)
            message = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
            raise HandoverError(found=str(error), needed=f"needed {kind.__name__}") from error
        if not isinstance(message, kind):
            raise HandoverError(found=type(message).__name__, needed=f"needed {kind.__name__}")
        return message

    def close(self) -> None:
        """End the conversation."""
        self._sock.close()

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > _LONGEST_LINE_BYTES:
                raise HandoverError(
                    found="an endless line", needed=f"needed {_LONGEST_LINE_BYTES} bytes at most"
                )
            data, descriptors, _flags, _address = socket.recv_fds(
                self._sock, _READ_BYTES, DESCRIPTORS
            )
            self.descriptors += descriptors
            for descriptor in descriptors:  # Python 3.11 passes no MSG_CMSG_CLOEXEC on
                os.set_inheritable(descriptor, False)  # noqa: FBT003 - it has no keywords
            if not data:
                raise ConnectionResetError("the other nsledger ended the hand-over")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def three(descriptors: list[int]) -> tuple[int, int, int]:
    """The descriptors of an offer: listening socket, lock, control socket.

    Raises:
        HandoverError: there are more or fewer.
    """
    if len(descriptors) != DESCRIPTORS:
        raise HandoverError(found=f"{len(descriptors)} descriptors", needed=f"needed {DESCRIPTORS}")
    listening_fd, lock_fd, control_fd = descriptors
    return listening_fd, lock_fd, control_fd
