"""The relay's loop: one thread, one epoll, one connection to the runtime per accepted one.

It waits for nothing but epoll. A watcher that raises costs the record of one call, never the call.

Source: epoll(7), unix(7), eventfd(2).
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, assert_never

import structlog

from nsledger.http2.calls import Watcher
from nsledger.http2.connection import RelayedConnection
from nsledger.http2.counters import Counters
from nsledger.http2.events import Answered, Event, Overlooked, RequestHeld, RequestSeen, Unfollowed
from nsledger.http2.streams import Limits
from nsledger.relay.held import Decision, Refuse, RelayedCall, Release
from nsledger.relay.link import End, Link

log = structlog.get_logger(__name__)

_DIAL_INTERVAL_S: Final = 0.01
_GONE: Final = select.EPOLLHUP | select.EPOLLERR


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decided, and what the relay does while the runtime is away."""

    hold_limit_s: float = 0.1
    """A request waits no longer for its watcher."""
    drain_timeout_s: float = 30.0
    """`drain` hangs up on what still runs after this time."""
    fail_closed: bool = False
    """Refuse what cannot be recorded, instead of letting it pass."""
    dial_limit_s: float = 2.0
    """An accepted connection waits no longer for the runtime's socket to be there."""


@dataclass(slots=True)
class _Waiting:
    """A held request and when it stops to wait."""

    link: Link
    stream_id: int
    path: str
    until_s: float


@dataclass(slots=True)
class _Schedule:
    """What is due when; all three are in the order of their times."""

    holds: deque[_Waiting] = field(default_factory=deque[_Waiting])
    dials: dict[Link, float] = field(default_factory=dict[Link, float])
    """Links without a runtime yet, and when they give up."""
    drain_ends_s: float | None = None


class Relay:
    """Carries connections from `listening` to the socket at `upstream`, and tells `watcher`."""

    def __init__(
        self,
        listening: socket.socket,
        upstream: str,
        watcher: Watcher,
        options: Options | None = None,
    ) -> None:
        self.counters: Final = Counters()
        """Other threads may read them."""
        self._listener = listening
        self._upstream = upstream
        self._watcher = watcher
        self._options = options or Options()
        self._limits = Limits(refuse_unwatchable=self._options.fail_closed)
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._owners: dict[int, tuple[Link, End]] = {}
        self._links: set[Link] = set()
        self._calls: dict[tuple[Link, int], RelayedCall] = {}
        self._decisions: deque[tuple[Link, int, Decision]] = deque()
        self._schedule = _Schedule()
        self._drain_asked = False

    def drain(self) -> None:
        """Accept no more, let running calls end, then return from `run`.

        For any thread and for signal handlers; a second time, hang up at once.
        """
        self._schedule.drain_ends_s = time.monotonic() + (
            0.0 if self._drain_asked else self._options.drain_timeout_s
        )
        self._drain_asked = True
        self._wake_up()

    def run(self) -> None:
        """Relay until drained. To be called once, on the thread that the watcher is told on."""
        self._listener.settimeout(0)
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)
        accepting = True
        try:
            while not (self._drain_asked and not self._links):
                for descriptor, events in self._epoll.poll(self._timeout_s()):
                    self._ready(descriptor, events)
                self._carry_out()
                self._on_time(time.monotonic())
                if self._drain_asked and accepting:
                    accepting = False
                    self._epoll.unregister(self._listener)
                    self._each(list(self._links), self._say_farewell)
                if self._drain_asked:
                    self._hang_up_on_drained()
        finally:
            for link in list(self._links):
                self._hang_up(link)
            self._epoll.close()
            os.close(self._wake)

    def _ready(self, descriptor: int, events: int) -> None:
        if descriptor == self._wake:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            return
        if descriptor == self._listener.fileno():
            self._accept()
            return
        owner = self._owners.get(descriptor)
        if owner is None:
            return  # closed by an event before this one
        link, end = owner

        def step() -> bool:
            if events & select.EPOLLOUT:
                end.flush()
            if events & (select.EPOLLIN | _GONE):
                return link.read_client() if end is link.client else link.read_runtime()
            return True

        self._do(link, step)

    def _do(self, link: Link, step: Callable[[], bool]) -> None:
        """One step of a link; the end of it if a peer is gone."""
        try:
            alive = step()
        except OSError:
            alive = False
        self._tell(link)
        if alive:
            self._watch(link)
        else:
            self._hang_up(link)

    def _each(self, links: list[Link], step: Callable[[Link], None]) -> None:
        for link in links:

            def stay(link: Link = link) -> bool:
                step(link)
                return True

            self._do(link, stay)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(0)
            self.counters.connections += 1
            self.counters.connections_open += 1
            link = Link(
                client,
                RelayedConnection(self._watcher.treatment, self.counters, self._limits),
            )
            self._links.add(link)
            self._owners[client.fileno()] = link, link.client
            self._epoll.register(client, 0)
            self._schedule.dials[link] = time.monotonic() + self._options.dial_limit_s
            self._dial(link)

    def _dial(self, link: Link) -> None:
        """Connect to the runtime; where its socket is not there, again in a moment."""
        runtime = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            runtime.connect(self._upstream)
        except OSError:
            runtime.close()
            if time.monotonic() >= self._schedule.dials[link]:
                self.counters.connections_failed += 1
                self._hang_up(link)
            return
        del self._schedule.dials[link]
        link.runtime = End(runtime)
        self._owners[runtime.fileno()] = link, link.runtime
        self._epoll.register(runtime, 0)
        self._watch(link)

    def _watch(self, link: Link) -> None:
        """Register each end for what it should wait for now."""
        for end, interest in link.interests():
            if end.interest != interest:
                self._epoll.modify(end.socket, interest)
                end.interest = interest

    def _hang_up(self, link: Link) -> None:
        if link not in self._links:
            return
        self._links.discard(link)
        self._schedule.dials.pop(link, None)
        self.counters.connections_open -= 1
        for end in (link.client, link.runtime):
            if end is not None:
                self._owners.pop(end.socket.fileno(), None)
        link.close()
        self._tell(link)

    def _tell(self, link: Link) -> None:
        events = link.core.events[:]
        link.core.events.clear()
        for event in events:
            self._guarded(partial(self._tell_one, link, event))

    def _tell_one(self, link: Link, event: Event) -> None:
        now_ns = time.monotonic_ns()
        match event:
            case RequestHeld(stream_id, path, message):
                call = self._call(link, stream_id, path, now_ns)
                until_s = now_ns / 1e9 + self._options.hold_limit_s
                self._schedule.holds.append(_Waiting(link, stream_id, path, until_s))
                try:
                    self._watcher.request_held(call, message)
                except Exception:
                    call.release(None)
                    raise
            case RequestSeen(stream_id, path, message):
                self._watcher.request_seen(self._call(link, stream_id, path, now_ns), message)
            case Answered(stream_id, message, grpc_status):
                call = self._calls.pop((link, stream_id))
                self._watcher.answered(call, message, grpc_status)
            case Overlooked(reason, path):
                self._watcher.overlooked(reason, path)
            case Unfollowed(reason):
                self._watcher.overlooked(reason, None)
            case _:
                assert_never(event)

    def _call(self, link: Link, stream_id: int, path: str, now_ns: int) -> RelayedCall:
        def decide(decision: Decision) -> None:
            self._decisions.append((link, stream_id, decision))
            self._wake_up()

        call = self._calls[link, stream_id] = RelayedCall(path, now_ns, decide)
        return call

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the kubelet's call goes on whatever a watcher does
            # A traceback could quote a message, so only the error's kind is shown.
            log.error("watcher.failed", error=type(error).__name__)  # noqa: TRY400
            self.counters.count_overlooked("watcher_failed")
            with contextlib.suppress(Exception):
                self._watcher.overlooked("watcher_failed", None)

    def _carry_out(self) -> None:
        """Do what watchers decided, on whatever thread."""
        while self._decisions:
            link, stream_id, decision = self._decisions.popleft()
            if link not in self._links:
                continue

            def step(
                link: Link = link, stream_id: int = stream_id, decision: Decision = decision
            ) -> bool:
                match decision:
                    case Release(message):
                        link.core.release(stream_id, message)
                    case Refuse():
                        link.core.refuse(stream_id)
                    case _:
                        assert_never(decision)
                link.pump()
                return True

            self._do(link, step)

    def _on_time(self, now_s: float) -> None:
        """Do what is due: holds that are over, links that wait for the runtime, the drain's end."""
        holds = self._schedule.holds
        while holds and holds[0].until_s <= now_s:
            self._end_hold(holds.popleft())
        for link in list(self._schedule.dials):
            self._dial(link)
        ends_s = self._schedule.drain_ends_s
        if ends_s is not None and now_s >= ends_s:
            for link in list(self._links):
                with contextlib.suppress(OSError):
                    link.client.put([link.core.final_goaway()])
                self._hang_up(link)

    def _end_hold(self, waiting: _Waiting) -> None:
        link = waiting.link
        if link not in self._links:
            return
        let_go = link.core.refuse if self._options.fail_closed else self._release_unchanged(link)
        if not let_go(waiting.stream_id):
            return  # decided in time
        self.counters.count_overlooked("hold_limit")
        self._guarded(lambda: self._watcher.overlooked("hold_limit", waiting.path))
        self._each([link], Link.pump)

    @staticmethod
    def _release_unchanged(link: Link) -> Callable[[int], bool]:
        return lambda stream_id: link.core.release(stream_id, None)

    def _say_farewell(self, link: Link) -> None:
        link.core.go_away()
        link.pump()

    def _hang_up_on_drained(self) -> None:
        for link in list(self._links):
            if link.core.drained and not link.client.unsent:
                self._hang_up(link)

    def _timeout_s(self) -> float | None:
        """Until the next thing is due; None for ever."""
        now_s = time.monotonic()
        due = [self._schedule.holds[0].until_s] if self._schedule.holds else []
        if self._schedule.dials:
            due.append(now_s + _DIAL_INTERVAL_S)
        if self._schedule.drain_ends_s is not None:
            due.append(self._schedule.drain_ends_s)
        return max(0.0, min(due) - now_s) if due else None

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):  # closed: `run` has returned
            os.eventfd_write(self._wake, 1)
