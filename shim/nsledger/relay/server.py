"""The relay: one thread that accepts, dials, pumps, and waits for nothing but epoll.

It logs nothing: what there is to know of a call goes to the interceptor, and into `counters`.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from nsledger.relay.connection import Link
from nsledger.relay.dispatch import Dispatcher, RelayOptions
from nsledger.relay.h2.calls import Interceptor
from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters, Latencies
from nsledger.relay.h2.streams import Limits
from nsledger.relay.wakeup import Wakeup

_DEFAULTS: Final = RelayOptions()
_DIAL_AGAIN_NS: Final = 10_000_000
_ACCEPT_AGAIN_NS: Final = 100_000_000
_NS_PER_S: Final = 1_000_000_000
_SILENCE_LIMIT_NS: Final = 500_000_000
"""While draining, a client that has not even said its preface is waited for this long."""

Ready = Callable[[int], None]
"""Takes the events that epoll saw on a descriptor."""


class Relay:
    """Carries every connection of a listening socket to the runtime's socket."""

    def __init__(
        self,
        listener: socket.socket,
        upstream_path: str,
        interceptor: Interceptor,
        options: RelayOptions = _DEFAULTS,
        latencies: Latencies | None = None,
    ) -> None:
        """The listener stays its owner's to close; it is made non-blocking, and shut by `drain`.

        Calls are timed if there are `latencies` to keep the times.
        """
        self.counters = Counters()
        self._listener = listener
        self._upstream_path = upstream_path
        self._limits = Limits(
            held_message_bytes=options.held_message_bytes,
            held_bytes=options.held_bytes,
            copied_message_bytes=options.copied_message_bytes,
            refuse_unwatchable=options.failure_policy == "fail",
        )
        self._dial_limit_ns = int(options.dial_limit_s * 1e9)
        self._wakeup = Wakeup()
        self._dispatcher = Dispatcher(
            interceptor, self.counters, options, self._wakeup.wake_from_elsewhere
        )
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._links: dict[Link, None] = {}
        self._dialing: dict[Link, int] = {}
        """Links without a runtime, and when to give up on them."""
        self._next_dial_ns = 0
        self._accept_again_ns: int | None = None
        self._leaving = False
        self._listener_is_shared = False
        self._drain_timeout_s: float | None = None
        self._drain_deadline_ns: int | None = None
        self._silence_deadline_ns: int | None = None
        self._stopped = False
        self._beat: Callable[[], None] | None = None
        self._beat_interval_ns = 0
        self._next_beat_ns: int | None = None
        self._latencies = latencies
        listener.settimeout(0)
        self._ready[listener.fileno()] = self._accept
        self._ready[self._wakeup.fd] = self._woken
        self._epoll.register(self._wakeup.fd, select.EPOLLIN)

    def run(self) -> None:
        """Relay on the calling thread until `stop`, or until `drain` is through."""
        self._wakeup.thread_id = threading.get_ident()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        try:
            while not self._finished():
                for fd, events in self._epoll.poll(self._timeout_s()):
                    ready = self._ready.get(fd)
                    if ready is not None:
                        self._guarded(fd, ready, events)
                self._tick()
        finally:
            self._close()

    def beat(self, interval_s: float, beat: Callable[[], None]) -> None:
        """Call `beat` on the relay's thread, now and every `interval_s`; before `run` only."""
        self._beat = beat
        self._beat_interval_ns = int(interval_s * _NS_PER_S)
        self._next_beat_ns = 0

    def drain(self, timeout_s: float) -> None:
        """Accept no more, have clients leave, end when the last call is over or after `timeout_s`.

        From any thread, and from a signal handler.
        """
        self._drain_timeout_s = timeout_s
        self._wakeup.wake()

    def hand_over(self, timeout_s: float) -> None:
        """Drain, but leave the listener and its queue to the process that has it too.

        From any thread, and from a signal handler.
        """
        self._listener_is_shared = True
        self.drain(timeout_s)

    def stop(self) -> None:
        """Close everything now. From any thread, and from a signal handler."""
        self._stopped = True
        self._wakeup.wake()

    def _finished(self) -> bool:
        if self._stopped:
            return True
        if self._drain_deadline_ns is None:
            return False
        return not self._links or time.monotonic_ns() >= self._drain_deadline_ns

    def _timeout_s(self) -> float | None:
        """How long epoll may wait: for ever if nothing is due."""
        moments = (
            self._dispatcher.next_deadline_ns,
            self._next_dial_ns if self._dialing else None,
            self._accept_again_ns,
            self._drain_deadline_ns,
            self._silence_deadline_ns,
            self._next_beat_ns,
        )
        due_ns = [moment for moment in moments if moment is not None]
        return max(0, min(due_ns) - time.monotonic_ns()) / 1e9 if due_ns else None

    def _tick(self) -> None:
        """What is due, beside sockets."""
        now_ns = time.monotonic_ns()
        self._dispatcher.carry_out(now_ns)
        if self._dialing and now_ns >= self._next_dial_ns:
            self._dial_waiting(now_ns)
        if self._accept_again_ns is not None and now_ns >= self._accept_again_ns:
            self._accept_again_ns = None
            self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        if self._beat is not None and now_ns >= (self._next_beat_ns or 0):
            self._next_beat_ns = now_ns + self._beat_interval_ns
            self._beat()
        if self._drain_timeout_s is not None and not self._leaving:
            self._begin_drain(self._drain_timeout_s)
        if self._silence_deadline_ns is not None and now_ns >= self._silence_deadline_ns:
            self._silence_deadline_ns = None
            for link in [link for link in self._links if not link.core.started]:
                link.close()

    def _guarded(self, fd: int, ready: Ready, events: int) -> None:
        try:
            ready(events)
        except Exception:  # noqa: BLE001  # one connection's fault must not end the others
            for link in [link for link in self._links if fd in link.descriptors]:
                self._dispatcher.give_up(link)

    # --- connections -----------------------------------------------------------------------------

    def _accept(self, _events: int) -> None:
        while True:
            try:
                accepted, _address = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError:
                if self._leaving:
                    return
                # Out of descriptors or memory: epoll would report the listener again at once.
                self._epoll.unregister(self._listener.fileno())
                self._accept_again_ns = time.monotonic_ns() + _ACCEPT_AGAIN_NS
                return
            self._open(accepted)

    def _open(self, accepted: socket.socket) -> None:
        accepted.settimeout(0)
        link = self._link(accepted)
        self.counters.connections += 1
        self.counters.connections_open += 1
        self._links[link] = None
        self._ready[link.client.fd] = link.client_ready
        if not self._dial(link):
            now_ns = time.monotonic_ns()
            self._dialing[link] = now_ns + self._dial_limit_ns
            self._next_dial_ns = now_ns + _DIAL_AGAIN_NS

    def _link(self, accepted: socket.socket) -> Link:
        if self._latencies is not None:
            from nsledger.relay import timing  # noqa: PLC0415 - only who asked pays for it

            return timing.link(
                accepted,
                self._epoll,
                self.counters,
                stopwatch=timing.Stopwatch(self._latencies),
                limits=self._limits,
                treatment=self._dispatcher.treatment,
                tell=self._dispatcher.tell,
                forget=self._forget,
            )
        return Link(
            accepted,
            self._epoll,
            RelayedConnection(self._dispatcher.treatment, self.counters, self._limits),
            self.counters,
            tell=self._dispatcher.tell,
            forget=self._forget,
        )

    def _dial(self, link: Link) -> bool:
        if not link.dial(self._upstream_path):
            return False
        if link.runtime is not None:
            self._ready[link.runtime.fd] = link.runtime_ready
        return True

    def _dial_waiting(self, now_ns: int) -> None:
        self._next_dial_ns = now_ns + _DIAL_AGAIN_NS
        for link, give_up_ns in list(self._dialing.items()):
            if self._dial(link):
                self._dialing.pop(link, None)
            elif now_ns >= give_up_ns:
                self.counters.connections_failed += 1
                link.close()

    def _forget(self, link: Link) -> None:
        """A link has closed."""
        del self._links[link]
        self._dialing.pop(link, None)
        self.counters.connections_open -= 1
        for fd in link.descriptors:
            self._ready.pop(fd, None)

    # --- the end ---------------------------------------------------------------------------------

    def _woken(self, _events: int) -> None:
        self._wakeup.clear()

    def _begin_drain(self, timeout_s: float) -> None:
        self._leaving = True
        if self._accept_again_ns is None:
            self._epoll.unregister(self._listener.fileno())
        self._accept_again_ns = None
        if not self._listener_is_shared:
            self._listener.shutdown(socket.SHUT_RDWR)  # from now on connecting is refused
            self._accept(0)  # but who stands in the queue has a connection already
        now_ns = time.monotonic_ns()
        self._drain_deadline_ns = now_ns + int(timeout_s * 1e9)
        self._silence_deadline_ns = now_ns + _SILENCE_LIMIT_NS
        for link in list(self._links):
            link.go_away()

    def _close(self) -> None:
        for link in list(self._links):
            link.hang_up()
        self._dispatcher.carry_out(time.monotonic_ns())
        self._epoll.close()
        self._wakeup.close()
