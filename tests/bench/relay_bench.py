"""What the relay adds to a call, beside nginx, which does nothing else: the same calls three ways.

Direct to a runtime, through nginx `grpc_pass`, through `nsledger serve`; interleaved in one run, so
that a busy moment of the machine meets all alike. Runtime and client are compiled
(tests/bench/peers). A ratio is the median over the rounds of ratios within one round.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench import cells, messages, peers, processes, relay_table, routes
from tests.bench.cells import CREATE, LIST, STREAM, UNARY, Effort, Rounds, Taken
from tests.bench.routes import NGINX, NSLEDGER, SYNCED, UNRECORDED, WRITTEN, Place, Route

_SERVICE: Final = "/runtime.v1.RuntimeService/"
_KUBELET_S: Final = {
    "ListPodSandbox": 1.0,
    "ListContainers": 1.0,
    "Status": 5.0,
    "Version": 5.0,
    "ImageFsInfo": 10.0,
    "ListContainerStats": 10.0,
    "ListPodSandboxStats": 10.0,
}
"""How often a kubelet calls while nothing happens: PLEG, runtime state, statistics."""


_SETTLING_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    effort: Effort = field(default_factory=Effort)
    starts: int = 9
    quiet_s: float = 15.0
    """Until what the calls before have led to is over, gRPC's channel to the runtime given back."""
    idle_s: float = 20.0
    polling_s: float = 60.0
    """One round of reconciliation is in it."""


_WHOLE: Final = Plan()


def main(plan: Plan = _WHOLE) -> None:
    """Measure, print a table, and the figures as JSON on the last line.

    Raises:
        PeerMissingError: what it is measured against is not there.
    """
    began_s = time.monotonic()
    peers.install()
    program = peers.build()
    load = peers.Load(program)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as sockets,
            tempfile.TemporaryDirectory(prefix="nsl-") as disk,
        ):
            figures = _measure(plan, program, load, Place(Path(sockets), Path(disk)))
    finally:
        load.close()
    figures["bench_s"] = round(time.monotonic() - began_s)
    print(json.dumps(figures))


def _measure(plan: Plan, program: Path, load: peers.Load, place: Place) -> dict[str, float]:
    requests = {
        path.name: str(path)
        for path in messages.write(place.disk / "requests", messages.requests()).iterdir()
    }
    answers = messages.write(place.disk / "answers", messages.answers())
    with routes.opened(program, answers, place) as ways:
        fresh_mib = processes.resident_mib(_pid(ways[NSLEDGER]))
        rounds = cells.measure(load, ways, requests, plan.effort)
        relay_table.show(rounds, plan.effort)
        alone = {
            "rss_fresh_mib": fresh_mib,
            "rss_mib": processes.resident_mib(_pid(ways[NSLEDGER])),
            "nginx_rss_mib": processes.resident_mib(_pid(ways[NGINX])),
            "idle_cpu_percent": _idle_percent(ways[NSLEDGER], plan),
            "polling_cpu_percent": _polling_percent(load, ways[NSLEDGER], requests, plan.polling_s),
            **_starts(load, place, requests, plan.starts),
        }
    relay_table.show_alone(alone)
    return _figures(rounds) | {name: round(figure, 3) for name, figure in alone.items()}


def _figures(rounds: Rounds) -> dict[str, float]:
    figures = {"direct_p50_us": rounds.median(UNARY, 1, routes.DIRECT, _p50_us)}
    for callers in cells.CALLERS:
        end = "" if callers == 1 else f"_{callers}"
        figures |= {
            f"nginx_added_p50_us{end}": rounds.added_us(UNARY, callers, NGINX),
            f"added_p50_us{end}": rounds.added_us(UNARY, callers, NSLEDGER),
            f"ratio_to_nginx{end}": rounds.added_ratio(UNARY, callers, NSLEDGER),
            f"p99_ratio{end}": rounds.ratio(UNARY, callers, NSLEDGER, _p99_us),
            f"cpu_us_per_call{end}": rounds.median(UNARY, callers, NSLEDGER, _cpu_us),
            f"cpu_ratio{end}": rounds.ratio(UNARY, callers, NSLEDGER, _cpu_us),
            f"annotated_added_p50_us{end}": rounds.added_us(CREATE, callers, NSLEDGER),
            f"annotated_ratio{end}": rounds.added_ratio(CREATE, callers, NSLEDGER),
            f"annotated_written_added_p50_us{end}": rounds.added_us(CREATE, callers, WRITTEN),
            f"annotated_written_ratio{end}": rounds.added_ratio(CREATE, callers, WRITTEN),
            f"annotated_sync_added_p50_us{end}": rounds.added_us(CREATE, callers, SYNCED),
            f"annotated_sync_ratio{end}": rounds.added_ratio(CREATE, callers, SYNCED),
            f"unrecorded_ratio{end}": rounds.added_ratio(CREATE, callers, UNRECORDED),
        }
    figures |= {
        "calls_per_s_32": rounds.median(UNARY, 32, NSLEDGER, _calls_per_s),
        "throughput_ratio_32": rounds.ratio(UNARY, 32, NSLEDGER, _calls_per_s),
        "list_ratio": rounds.added_ratio(LIST, 1, NSLEDGER),
        "stream_to_direct": rounds.ratio(STREAM, 1, NSLEDGER, _calls_per_s, to=routes.DIRECT),
    }
    return {name: round(figure, 2) for name, figure in figures.items()}


def _idle_percent(way: Route, plan: Plan) -> float:
    """Of a core, with a connection open on which nothing happens."""
    time.sleep(plan.quiet_s)
    before_s = way.cpu_s()
    time.sleep(plan.idle_s)
    return (way.cpu_s() - before_s) / plan.idle_s * 100


def _polling_percent(
    load: peers.Load, way: Route, requests: dict[str, str], seconds: float
) -> float:
    """Of a core, while a kubelet with a full node looks after it and nothing changes.

    By then the daemon has looked at what the runtime's lists hold and no call told of.
    """
    if way.pid is not None:
        processes.wait_until_idle(way.pid, limit_s=_SETTLING_S)
    before_s = way.cpu_s()
    schedule = [
        {"method": _SERVICE + method, "request": requests[method], "every": every_s}
        for method, every_s in _KUBELET_S.items()
    ]
    load.order("poll", target=way.socket, seconds=seconds, schedule=schedule)
    return (way.cpu_s() - before_s) / seconds * 100


def _starts(
    load: peers.Load, place: Place, requests: dict[str, str], times: int
) -> dict[str, float]:
    """Milliseconds from exec to the first answered call; medians."""
    programs = {
        "startup_ms": ("second", place.nsledger("second", "--log-level", "error")),
        "nginx_startup_ms": ("nginx-2", place.nginx("nginx-2")),
    }
    taken_ms: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(times):
        for name, (socket, command) in programs.items():
            result = load.order(
                "start",
                target=place.socket(socket),
                method=_SERVICE + "Version",
                request=requests["Version"],
                program=command,
            )
            taken_ms[name].append(result["ms"])
    return {name: statistics.median(taken) for name, taken in taken_ms.items()}


def _pid(way: Route) -> int:
    if way.pid is None:
        raise AssertionError(f"{way.name} is no process")
    return way.pid


def _p50_us(taken: Taken) -> float:
    return taken.p50_us


def _p99_us(taken: Taken) -> float:
    return taken.p99_us


def _cpu_us(taken: Taken) -> float:
    return taken.cpu_us


def _calls_per_s(taken: Taken) -> float:
    return taken.calls_per_s
