"""What the relay counts, as plain attributes: one thread writes them, any thread may read."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

_MOST_PATHS: Final = 256
OTHER_PATHS: Final = "other"
"""Where calls are counted once 256 different paths were seen, and those of unreadable headers."""


@dataclass(slots=True)
class Counters:
    """Totals since start, and what is there right now."""

    connections: int = 0
    """Accepted since start."""
    connections_open: int = 0
    connections_failed: int = 0
    """Closed because the runtime was not there in time."""
    in_flight: int = 0
    """Calls that the runtime has not ended."""
    calls: dict[str, int] = field(default_factory=dict[str, int])
    """Calls begun, by path."""
    overlooked: dict[str, int] = field(default_factory=dict[str, int])
    """Gaps, by reason."""
    client_bytes: int = 0
    """Received from clients."""
    runtime_bytes: int = 0
    """Received from the runtime."""

    def count_call(self, path: str) -> None:
        """One more call of `path`."""
        if path not in self.calls and len(self.calls) >= _MOST_PATHS:
            path = OTHER_PATHS
        self.calls[path] = self.calls.get(path, 0) + 1

    def count_overlooked(self, reason: str) -> None:
        """One more gap."""
        self.overlooked[reason] = self.overlooked.get(reason, 0) + 1


OWN_BOUNDS_S: Final = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 1.0,
)  # fmt: skip
"""Upper bounds of the buckets of the shim's own part: it is microseconds, or a held call."""
RUNTIME_BOUNDS_S: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 120.0, 600.0,
)  # fmt: skip
"""The same of the runtime's: a Version call, or a long PullImage."""


class Distribution:
    """A histogram: how many values fell under each bound, and their sum."""

    __slots__ = ("bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        """Not cumulated; the last one has no bound."""
        self.sum_s = 0.0

    def add(self, value_s: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds_s, value_s)] += 1
        self.sum_s += value_s


@dataclass(slots=True)
class MethodTimes:
    """The calls of one path."""

    own: Distribution = field(default_factory=lambda: Distribution(OWN_BOUNDS_S))
    runtime: Distribution = field(default_factory=lambda: Distribution(RUNTIME_BOUNDS_S))
    in_flight: int = 0


class Latencies:
    """The calls of all connections, by path."""

    def __init__(self) -> None:
        self.methods: dict[str, MethodTimes] = {}

    def of(self, path: str) -> MethodTimes:
        """Where the calls of `path` are counted; past 256 paths, all others in one place."""
        times = self.methods.get(path)
        if times is None:
            if len(self.methods) >= _MOST_PATHS:
                path = OTHER_PATHS
            times = self.methods.setdefault(path, MethodTimes())
        return times
