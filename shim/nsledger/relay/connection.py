"""One accepted connection and its own connection to the runtime: bytes between them and the core.

An end of file and a hang-up travel on as what they are, behind everything that was sent before.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.streams import Event

READ_BYTES: Final = 64 << 10
"""One read takes at most this much. All that a Unix socket's buffers hold (208 KiB) would be more
memory than the allocator keeps at hand, and one batch after the other where two can overlap."""
SMALL_READ_BYTES: Final = 16 << 10
"""As long as less comes. Room for more is an mmap, an mremap and a munmap around each read: 100 us
of CPU for a call of 4 KB, which has two reads."""


class Endpoint:
    """A socket, registered with the relay's epoll.

    Nobody reads from the other end while `unsent` holds something: that is the back-pressure.
    """

    __slots__ = (
        "_epoll",
        "_mask",
        "_read_bytes",
        "_sock",
        "_unsent",
        "broken",
        "ended",
        "fd",
        "hung_up",
        "shut",
    )

    def __init__(self, sock: socket.socket, epoll: select.epoll) -> None:
        self._sock = sock
        self._epoll = epoll
        self._mask = 0
        self._read_bytes = SMALL_READ_BYTES
        self._unsent: deque[memoryview] = deque()
        self.fd: int = sock.fileno()
        self.ended = False
        """Whether the peer will send nothing more."""
        self.hung_up = False
        """Whether the peer will not read either."""
        self.broken = False
        """Whether the peer refused to take bytes: what is for it is dropped."""
        self.shut = False
        """Whether the peer was told that nothing more comes."""
        epoll.register(self.fd, 0)

    @property
    def unsent(self) -> bool:
        """Whether the socket has not taken everything yet."""
        return bool(self._unsent)

    def receive(self) -> bytes:
        """What the peer has sent, or nothing."""
        try:
            data = self._sock.recv(self._read_bytes)
        except BlockingIOError:
            return b""
        except OSError:
            self.ended = self.hung_up = True
            return b""
        if not data:
            self.ended = True
        self._read_bytes = READ_BYTES if len(data) >= SMALL_READ_BYTES else SMALL_READ_BYTES
        return data

    def send(self, chunks: list[bytes]) -> None:
        """Send all of `chunks`, and empty it; what the socket does not take waits."""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        if self._unsent:
            self._unsent.append(memoryview(data))
            return
        sent = self._try(data)
        if sent < len(data):
            self._unsent.append(memoryview(data)[sent:])

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._unsent:
            view = self._unsent[0]
            sent = self._try(view)
            if sent < len(view):
                self._unsent[0] = view[sent:]
                return
            self._unsent.popleft()

    def _try(self, data: bytes | memoryview) -> int:
        if self.broken:
            return len(data)
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.broken = True
            return len(data)

    def shut_down(self) -> None:
        """Tell the peer that nothing more comes; it may go on sending."""
        self.shut = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def watch(self, *, reading: bool) -> None:
        """Ask epoll for what there is to wait for: input if `reading`, room if there is need."""
        mask = select.EPOLLIN if reading else 0
        if self._unsent:
            mask |= select.EPOLLOUT
        if mask != self._mask:
            self._mask = mask
            self._epoll.modify(self.fd, mask)

    def unwatch(self) -> None:
        """Hear no more of the peer: it has hung up, and epoll would say so for ever."""
        if self._mask >= 0:
            self._mask = -1
            self._epoll.unregister(self.fd)

    def close(self) -> None:
        """Close the socket."""
        self._unsent.clear()
        if self._mask >= 0:
            self._epoll.unregister(self.fd)
        self._sock.close()


class Link:
    """Two endpoints with the core between them; without a runtime it waits for one."""

    def __init__(
        self,
        accepted: socket.socket,
        epoll: select.epoll,
        core: RelayedConnection,
        counters: Counters,
        *,
        tell: Callable[[Link, Event], None],
        forget: Callable[[Link], None],
    ) -> None:
        """`tell` is called with each event, and may then release calls; `forget` at the end.

        The client has the bytes of an event's moment already. The runtime has not: a request that
        is released at once goes out with its header block, in one piece.
        """
        self.core = core
        self.client = Endpoint(accepted, epoll)
        self.runtime: Endpoint | None = None
        self.closed = False
        self._epoll = epoll
        self._counters = counters
        self._tell = tell
        self._forget = forget
        self._leaving = False

    @property
    def descriptors(self) -> list[int]:
        """Of the client and, once there is one, of the runtime."""
        return [self.client.fd] if self.runtime is None else [self.client.fd, self.runtime.fd]

    def dial(self, path: str) -> bool:
        """Connect to the runtime; False if it is not there, or its held requests is full."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            return False
        self.runtime = Endpoint(sock, self._epoll)
        self.settle()
        return True

    def client_ready(self, events: int) -> None:
        """Epoll saw something on the client's socket."""
        client = self.client
        if self.runtime is None:
            self.close()  # hung up before there was a runtime: nothing else is waited for
            return
        if events & select.EPOLLOUT:
            client.flush()
        if events & ~select.EPOLLOUT:
            data = b"" if client.ended else client.receive()
            if data:
                self._counters.client_bytes += len(data)
                self.core.receive_from_client(data)
            elif client.ended and events & select.EPOLLHUP:
                client.hung_up = True
        self.settle()

    def runtime_ready(self, events: int) -> None:
        """Epoll saw something on the runtime's socket."""
        runtime = self.runtime
        if runtime is None:
            return
        if events & select.EPOLLOUT:
            runtime.flush()
        if events & ~select.EPOLLOUT:
            data = b"" if runtime.ended else runtime.receive()
            if data:
                self._counters.runtime_bytes += len(data)
                self.core.receive_from_runtime(data)
            elif runtime.ended and events & select.EPOLLHUP:
                runtime.hung_up = True
        self.settle()

    def go_away(self) -> None:
        """Ask the client to leave; the link closes once its calls are over."""
        self._leaving = True
        self.core.go_away()
        self.settle()

    def settle(self) -> None:
        """Send what the core has to send, tell what it has to tell, and see what to wait for."""
        core, client, runtime = self.core, self.client, self.runtime
        if runtime is None:
            return
        if core.events and core.must_close:
            self.close()
            return
        if core.for_client:
            client.send(core.for_client)
        while core.events:
            events = core.events[:]
            core.events.clear()
            for event in events:
                self._tell(self, event)
            if core.for_client:
                client.send(core.for_client)
        if self.closed:
            return
        if core.for_runtime:
            runtime.send(core.for_runtime)
        if (client.ended or runtime.ended or self._leaving) and self._ends(runtime):
            self.close()
            return
        if client.hung_up:
            client.unwatch()
        else:
            client.watch(reading=not (client.ended or runtime.unsent) and core.wants_client_bytes)
        if runtime.hung_up:
            runtime.unwatch()
        else:
            runtime.watch(reading=not (runtime.ended or client.unsent))

    def _ends(self, runtime: Endpoint) -> bool:
        """Pass on that one side has ended; returns whether the link has no purpose any more."""
        client = self.client
        if client.ended and not runtime.unsent:
            if client.hung_up:
                return True
            if not runtime.shut and not self.core.keeps_request_bytes:
                runtime.shut_down()
        if runtime.ended and not client.unsent:
            if runtime.hung_up:
                return True
            if not client.shut:
                client.shut_down()
        if client.shut and runtime.shut:
            return True
        return self._leaving and self.core.drained and not (client.unsent or runtime.unsent)

    def hang_up(self) -> None:
        """Close, and say before which calls were served if there is room for it."""
        if self.runtime is not None and not self.client.unsent:
            self.client.send([self.core.final_goaway()])
        self.close()

    def close(self) -> None:
        """Close both ends; every watched call of theirs is over."""
        if self.closed:
            return
        self.closed = True
        self.core.close()
        for event in self.core.events:
            self._tell(self, event)
        self.core.events.clear()
        self._forget(self)
        self.client.close()
        if self.runtime is not None:
            self.runtime.close()
