"""One end of a relayed connection: a non-blocking socket and what it has not taken yet."""

from __future__ import annotations

import select
import socket
from collections import deque
from typing import Final

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
