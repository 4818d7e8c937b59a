"""Wake the relay's thread out of epoll, from any thread or signal handler."""

from __future__ import annotations

import os
import threading


class Wakeup:
    """An eventfd that may be written to at any time, also after it was closed."""

    __slots__ = ("_fd", "_lock", "_woken", "thread_id")

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._woken = False
        self._lock = threading.RLock()  # a signal handler may come in between on the same thread
        self.thread_id: int | None = None
        """The thread that need not be woken by itself, once it runs."""

    @property
    def fd(self) -> int:
        """What to register with epoll."""
        return self._fd

    def wake(self) -> None:
        """Have epoll return; once is enough until `clear`, and spares a batch of system calls."""
        with self._lock:
            if self._fd >= 0 and not self._woken:
                self._woken = True
                os.eventfd_write(self._fd, 1)

    def wake_from_elsewhere(self) -> None:
        """The same, unless this is the thread that would be woken."""
        if threading.get_ident() != self.thread_id:
            self.wake()

    def clear(self) -> None:
        """Take note of all wake-ups so far; what they were for is to be looked at after this."""
        with self._lock:
            if self._woken:
                self._woken = False
                os.eventfd_read(self._fd)

    def close(self) -> None:
        """Close the descriptor."""
        with self._lock:
            os.close(self._fd)
            self._fd = -1
