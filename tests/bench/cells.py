"""What is measured on every route in every round, and what came of it."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.bench import processes, routes
from tests.bench.peers import Load
from tests.bench.routes import Route

_SERVICE: Final = "/runtime.v1.RuntimeService/"
_FOLLOWING_UP_S: Final = 20.0
_PLAIN: Final = (routes.DIRECT, routes.NGINX, routes.NSLEDGER)
_ALL: Final = (*_PLAIN, routes.WRITTEN, routes.SYNCED, routes.UNRECORDED)

CREATE: Final = "CreateContainer 4 KB"
UNARY: Final = "unary 200 B"
LIST: Final = "list 1 MB"
STREAM: Final = "stream"
CALLERS: Final = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long everything is measured."""

    rounds: int = 9
    seconds: float = 0.35
    """Of one cell on one route, where calls are not counted."""
    creations: int = 512
    """Of one cell: as many as some hundred pods need that all start at once."""
    streamed: int = 5000
    """Messages of one stream."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of call by so many callers at once."""

    kind: str
    callers: int
    method: str
    among: tuple[str, ...]
    """The routes that it is measured on."""
    bounds: Mapping[str, float]
    """`seconds`, `calls` and `repeat` of the order."""

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.kind}, {self.callers} caller{'s' if self.callers > 1 else ''}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one cell took on one route in one round."""

    p50_us: float
    p99_us: float
    calls_per_s: float
    cpu_us: float
    """CPU time of the process in between, for each call."""


def cells(effort: Effort) -> list[Cell]:
    """All of them."""
    timed = {"seconds": effort.seconds}
    counted = {"calls": effort.creations}
    found = [Cell(UNARY, callers, "Version", _PLAIN, timed) for callers in CALLERS]
    found += [Cell(CREATE, callers, "CreateContainer", _ALL, counted) for callers in CALLERS]
    found.append(Cell(LIST, 1, "LongList", _PLAIN, timed))
    streamed = timed | {"repeat": effort.streamed}
    found.append(Cell(STREAM, 1, "GetContainerEvents", _PLAIN, streamed))
    return found


@dataclass(slots=True)
class Rounds:
    """Every cell on every route, a list with one entry for each round."""

    taken: dict[tuple[str, int, str], list[Taken]] = field(
        default_factory=dict[tuple[str, int, str], list[Taken]]
    )

    def median(
        self, kind: str, callers: int, route: str, figure: Callable[[Taken], float]
    ) -> float:
        """Of one figure over the rounds."""
        return statistics.median(map(figure, self.taken[kind, callers, route]))

    def added_us(self, kind: str, callers: int, route: str) -> float:
        """What the route adds to the direct call's median time; the median over the rounds."""
        return statistics.median(self._added(kind, callers, route))

    def added_ratio(self, kind: str, callers: int, route: str) -> float:
        """The same in units of what nginx adds in the same round."""
        pairs = zip(
            self._added(kind, callers, route),
            self._added(kind, callers, routes.NGINX),
            strict=True,
        )
        # A round in which nginx added nothing was no measurement of nginx.
        return statistics.median(
            [ours / theirs for ours, theirs in pairs if theirs > 0] or [float("nan")]
        )

    def ratio(
        self,
        kind: str,
        callers: int,
        route: str,
        figure: Callable[[Taken], float],
        *,
        to: str = routes.NGINX,
    ) -> float:
        """Of a figure to that of another route in the same round; the median over the rounds."""
        pairs = zip(self.taken[kind, callers, route], self.taken[kind, callers, to], strict=True)
        return statistics.median([figure(ours) / figure(theirs) for ours, theirs in pairs])

    def _added(self, kind: str, callers: int, route: str) -> Iterator[float]:
        pairs = zip(
            self.taken[kind, callers, route],
            self.taken[kind, callers, routes.DIRECT],
            strict=True,
        )
        return (ours.p50_us - direct.p50_us for ours, direct in pairs)


def measure(
    load: Load, ways: Mapping[str, Route], requests: Mapping[str, str], effort: Effort
) -> Rounds:
    """Rounds of everything, in another order each, so that a busy moment meets all alike."""
    found = Rounds()
    order = random.Random(1)
    steps = [(cell, name) for cell in cells(effort) for name in cell.among]
    for round_ in range(-1, effort.rounds):
        for cell, name in order.sample(steps, len(steps)):
            taken = _one(load, ways[name], cell, requests)
            if round_ >= 0:  # before it everything gets warm
                found.taken.setdefault((cell.kind, cell.callers, name), []).append(taken)
    return found


def _one(load: Load, way: Route, cell: Cell, requests: Mapping[str, str]) -> Taken:
    before_s = way.cpu_s()
    result: dict[str, Any] = load.order(
        "call",
        target=way.socket,
        method=_SERVICE + cell.method,
        request=requests[cell.method],
        callers=cell.callers,
        **cell.bounds,
    )
    if way.pid is not None and cell.kind == CREATE:
        # What the daemon does after its answer costs CPU as well, and is not to slow the next cell.
        processes.wait_until_idle(way.pid, limit_s=_FOLLOWING_UP_S)
    return Taken(
        p50_us=result["p50_us"],
        p99_us=result["p99_us"],
        calls_per_s=result["calls"] / result["seconds"],
        cpu_us=(way.cpu_s() - before_s) / result["calls"] * 1e6,
    )
