"""Tells that a process has ended, within a moment: the kernel says so, nobody has to ask for it.

One pidfd for each process on record, and one thread that sleeps until one of them is readable. A
container that ends by itself (a job, a crash) is told by no call; without this it would be on
record as running until the next round of the reconciliation.

    watch = ExitWatch(on_exit)
    watch.start()
    watch.add("c1", reading)     # on_exit(Exited("c1", moment)) when that process has ended

Where the kernel has no pidfds, or no descriptors are left, the reconciliation finds the end later.

Source: pidfd_open(2), epoll(7).
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import threading
from collections.abc import Callable
from typing import Final

from nsledger.auditor.jobs import Exited
from nsledger.model.namespaces import NamespaceReading
from nsledger.proc.process import Clock, is_alive

_MOST: Final = 8192
"""Processes: a node has at most a few hundred pods."""


class ExitWatch:
    """The pidfds of running processes. `add` may be called from any thread."""

    def __init__(self, on_exit: Callable[[Exited], None], *, clock: Clock) -> None:
        """Nothing is watched yet; `on_exit` is called on a thread of its own."""
        self._on_exit = on_exit
        self._clock = clock
        self._limit = min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._lock = threading.Lock()
        self._watched: dict[str, tuple[int, int, int]] = {}
        """By id: pid, start in ticks, and the pidfd."""
        self._ids: dict[int, str] = {}
        """By pidfd."""
        self._closing = False
        self._poll = select.epoll()
        self._wake, self._woken = os.pipe2(os.O_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="exit watch", daemon=True)

    def __len__(self) -> int:
        return len(self._watched)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Wait no more."""
        if self._closing:
            return
        self._closing = True
        os.write(self._woken, b".")
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._lock:
            for descriptor in (*self._ids, self._wake, self._woken):
                os.close(descriptor)
            self._ids.clear()
            self._watched.clear()
            self._poll.close()

    def add(self, id_: str, reading: NamespaceReading | None) -> None:
        """Watch the process of the sandbox or container `id_`, if it is not watched yet."""
        if reading is None or reading.start_ticks is None:
            return
        process = reading.pid, reading.start_ticks
        with self._lock:
            if self._closing or self._watched.get(id_, ())[:2] == process:
                return
            self._drop(id_)
            if len(self._watched) >= self._limit:
                return
            try:
                descriptor = os.pidfd_open(reading.pid)
            except ProcessLookupError:
                self._on_exit(Exited(id_, None))
                return
            except OSError:
                return  # no pidfds, or no descriptors
            # The pid may be another's by now; if it is not, the pidfd stays with this process.
            if not is_alive(*process):
                os.close(descriptor)
                self._on_exit(Exited(id_, None))
                return
            self._watched[id_] = *process, descriptor
            self._ids[descriptor] = id_
            self._poll.register(descriptor, select.EPOLLIN)

    def _run(self) -> None:
        while not self._closing:
            ready = self._poll.poll()
            at = self._clock.now()
            with self._lock:
                ended = [
                    self._ids[descriptor] for descriptor, _ in ready if descriptor in self._ids
                ]
                for id_ in ended:
                    self._drop(id_)
            for id_ in ended:
                self._on_exit(Exited(id_, at))

    def _drop(self, id_: str) -> None:
        _, _, descriptor = self._watched.pop(id_, (0, 0, None))
        if descriptor is not None:
            del self._ids[descriptor]
            with contextlib.suppress(OSError):
                self._poll.unregister(descriptor)
            os.close(descriptor)
