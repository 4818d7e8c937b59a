"""One accepted connection and its own connection to the runtime: two sockets and the core between.

Everything is non-blocking. What one side does not take is kept, up to a bound past which the other
side is not read: a slow reader slows its own peer down and costs nothing else.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from nsledger.http2.connection import RelayedConnection

_READ_BYTES: Final = 1 << 18
_KEPT_BYTES: Final = 1 << 20
"""Unsent bytes for one side past which the other side is not read."""
_IOV_MAX: Final = 64


@dataclass(slots=True)
class End:
    """One of the two sockets, and what it did not take yet."""

    socket: socket.socket
    unsent: list[bytes | memoryview] = field(default_factory=list[bytes | memoryview])
    unsent_bytes: int = 0
    interest: int = 0
    """The epoll events that are registered for it."""

    def put(self, pieces: list[bytes]) -> None:
        """Send `pieces` after what waits already, as far as the kernel takes it.

        Raises:
            OSError: the peer is gone.
        """
        if not pieces:
            return
        self.unsent.extend(pieces)
        self.unsent_bytes += sum(map(len, pieces))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it.

        Raises:
            OSError: the peer is gone.
        """
        while self.unsent:
            try:
                sent = self.socket.sendmsg(self.unsent[:_IOV_MAX])
            except BlockingIOError:
                return
            self.unsent_bytes -= sent
            done = 0
            for piece in self.unsent:
                if sent < len(piece):
                    self.unsent[done] = memoryview(piece)[sent:]
                    break
                sent -= len(piece)
                done += 1
            del self.unsent[:done]

    @property
    def full(self) -> bool:
        """Whether its peer should not be read for now."""
        return self.unsent_bytes > _KEPT_BYTES


class Link:
    """A client, the runtime, and the relayed connection between them."""

    def __init__(self, client: socket.socket, core: RelayedConnection) -> None:
        self.client = End(client)
        self.runtime: End | None = None
        """None until the runtime was dialled."""
        self.core = core

    def read_client(self) -> bool:
        """Take what the client sent; False if it has hung up.

        Raises:
            OSError: one of the two is gone.
        """
        try:
            data = self.client.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.core.receive_from_client(data)
        self.pump()
        return True

    def read_runtime(self) -> bool:
        """Take what the runtime sent; False if it has hung up.

        Raises:
            OSError: one of the two is gone.
        """
        if self.runtime is None:
            return True
        try:
            data = self.runtime.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.core.receive_from_runtime(data)
        self.pump()
        return True

    def pump(self) -> None:
        """Send on what the core has for either side.

        Raises:
            OSError: one of the two is gone.
        """
        if self.runtime is not None and self.core.for_runtime:
            pieces = self.core.for_runtime[:]
            self.core.for_runtime.clear()
            self.runtime.put(pieces)
        if self.core.for_client:
            pieces = self.core.for_client[:]
            self.core.for_client.clear()
            self.client.put(pieces)

    def interests(self) -> Iterator[tuple[End, int]]:
        """For each end, the epoll events it should be registered for now."""
        if self.runtime is None:
            yield self.client, 0
            return
        client = 0 if self.runtime.full or not self.core.wants_client_bytes else select.EPOLLIN
        runtime = 0 if self.client.full else select.EPOLLIN
        yield self.client, client | (select.EPOLLOUT if self.client.unsent else 0)
        yield self.runtime, runtime | (select.EPOLLOUT if self.runtime.unsent else 0)

    def close(self) -> None:
        """Hang up on both sides; the core says of every watched call that it is over."""
        self.core.close()
        for end in (self.client, self.runtime):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.socket.close()
