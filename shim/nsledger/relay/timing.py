"""The same connection with a watch in its hand: what of a call's time is the shim's, what the rest.

Made instead of the plain ones if somebody asks for metrics, so that nobody else pays for it. The
shim's own part of a call is from the moment its header block could be read until the call had gone
to the runtime (a held request is held in it), and from the moment its last answer could be read
until that had gone to the client. All between the two is the runtime's, and the client's, if it is
slow to send or to read.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from nsledger.relay.connection import Link
from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import OTHER_PATHS, Counters, Latencies, MethodTimes
from nsledger.relay.h2.streams import Event, Limits, Streams

_NS_PER_S: Final = 1e9


class _Timed:
    """One call that is under way."""

    __slots__ = ("began_ns", "forwarded_ns", "own_ns", "times")

    def __init__(self, times: MethodTimes, began_ns: int) -> None:
        self.times = times
        self.began_ns = began_ns
        self.forwarded_ns = 0
        self.own_ns = 0


class Stopwatch:
    """Of one connection. A turn is one wake-up: read, look, send."""

    def __init__(self, latencies: Latencies, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._latencies = latencies
        self._clock = clock
        self._turn_ns = 0
        self._calls: dict[int, _Timed] = {}
        self._begun: list[_Timed] = []
        self._ended: list[_Timed] = []

    def turn_began(self) -> None:
        """Something can be read."""
        self._turn_ns = self._clock()

    def turn_ended(self) -> None:
        """What was read has been sent on."""
        now_ns = self._clock()
        for call in self._begun:
            call.forwarded_ns = now_ns
            call.own_ns = now_ns - call.began_ns
        for call in self._ended:
            runtime_ns = max(0, self._turn_ns - call.forwarded_ns)
            call.times.own.add((call.own_ns + now_ns - self._turn_ns) / _NS_PER_S)
            call.times.runtime.add(runtime_ns / _NS_PER_S)
        self._begun.clear()
        self._ended.clear()
        self._turn_ns = now_ns

    def call_began(self, stream_id: int, path: str | None) -> None:
        """A header block opened a stream."""
        times = self._latencies.of(path or OTHER_PATHS)
        times.in_flight += 1
        call = self._calls[stream_id] = _Timed(times, self._turn_ns)
        self._begun.append(call)

    def call_released(self, stream_id: int) -> None:
        """A held request may go on, or is reset."""
        call = self._calls.get(stream_id)
        if call is not None:
            self._begun.append(call)

    def call_ended(self, stream_id: int) -> None:
        """The runtime has answered, or somebody reset the stream."""
        call = self._calls.pop(stream_id, None)
        if call is not None:
            call.times.in_flight -= 1
            self._ended.append(call)


class TimedStreams(Streams):
    """Streams that tell a stopwatch when calls begin and end."""

    def __init__(self, stopwatch: Stopwatch, counters: Counters, limits: Limits) -> None:
        super().__init__(counters, limits)
        self._stopwatch = stopwatch

    def begin(self, stream_id: int, path: str | None) -> None:
        """As of all streams."""
        self._stopwatch.call_began(stream_id, path)
        super().begin(stream_id, path)

    def end(self, stream_id: int, *, reset: bool = False) -> None:
        """As of all streams."""
        self._stopwatch.call_ended(stream_id)
        super().end(stream_id, reset=reset)


class TimedConnection(RelayedConnection):
    """A relayed connection that tells the stopwatch of its held calls too."""

    def __init__(
        self,
        treatment: Callable[[str], Treatment | None],
        counters: Counters,
        limits: Limits,
        stopwatch: Stopwatch,
    ) -> None:
        super().__init__(treatment, counters, limits, partial(TimedStreams, stopwatch))
        self._stopwatch = stopwatch

    def release(self, stream_id: int, appended: bytes = b"") -> bool:
        """As of every connection."""
        self._stopwatch.call_released(stream_id)
        return super().release(stream_id, appended)


class TimedLink(Link):
    """A link that tells the stopwatch of its turns."""

    def __init__(
        self,
        accepted: socket.socket,
        epoll: select.epoll,
        core: TimedConnection,
        counters: Counters,
        *,
        stopwatch: Stopwatch,
        tell: Callable[[Link, Event], None],
        forget: Callable[[Link], None],
    ) -> None:
        super().__init__(accepted, epoll, core, counters, tell=tell, forget=forget)
        self._stopwatch = stopwatch

    def client_ready(self, events: int) -> None:
        """As of every link."""
        self._stopwatch.turn_began()
        super().client_ready(events)

    def runtime_ready(self, events: int) -> None:
        """As of every link."""
        self._stopwatch.turn_began()
        super().runtime_ready(events)

    def settle(self) -> None:
        """As of every link: it is the end of a turn, or of one in which calls were released."""
        super().settle()
        self._stopwatch.turn_ended()


def link(
    accepted: socket.socket,
    epoll: select.epoll,
    counters: Counters,
    *,
    stopwatch: Stopwatch,
    limits: Limits,
    treatment: Callable[[str], Treatment | None],
    tell: Callable[[Link, Event], None],
    forget: Callable[[Link], None],
) -> Link:
    """A link with a stopwatch; all else is as in `Link` and `RelayedConnection`."""
    core = TimedConnection(treatment, counters, limits, stopwatch)
    return TimedLink(accepted, epoll, core, counters, stopwatch=stopwatch, tell=tell, forget=forget)
