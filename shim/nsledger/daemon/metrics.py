"""What the daemon counts, as Prometheus reads it: collected when it is asked for, never before.

It only looks at plain numbers that others keep. `prometheus_client` is imported by who asked for
metrics, and by nobody else.

Source: the naming rules of prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from nsledger.ledger.disk_room import free_bytes
from nsledger.model.events import DiskStage
from nsledger.recorder.recorder import Recorder
from nsledger.relay.h2.counters import Counters, Distribution, Latencies


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where the numbers are kept."""

    version: str
    ledger: str
    """The directory of the ledger."""
    counters: Counters
    latencies: Latencies
    recorder: Recorder


class NsledgerCollector(Collector):
    """All metrics of one daemon."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        yield _labelled(
            GaugeMetricFamily("nsledger_info", "What runs.", labels=["version"]),
            {self._numbers.version: 1},
        )
        yield from self._relay()
        yield from self._calls()
        yield from self._recorder()

    def _relay(self) -> Iterator[Metric]:
        counters = self._numbers.counters
        yield _counter("nsledger_connections", "Accepted since start.", counters.connections)
        yield _gauge("nsledger_connections_open", "Being relayed.", counters.connections_open)
        yield _counter(
            "nsledger_connections_failed",
            "Closed because the runtime was not there in time.",
            counters.connections_failed,
        )
        yield _gauge(
            "nsledger_calls_in_flight", "Calls the runtime has not ended.", counters.in_flight
        )
        yield _labelled(
            CounterMetricFamily("nsledger_calls", "Calls begun.", labels=["method"]),
            counters.calls,
        )
        yield _labelled(
            CounterMetricFamily(
                "nsledger_relayed_bytes", "Received and relayed.", labels=["sender"]
            ),
            {"client": counters.client_bytes, "runtime": counters.runtime_bytes},
        )
        yield _labelled(
            CounterMetricFamily(
                "nsledger_overlooked", "What the relay could not watch.", labels=["reason"]
            ),
            counters.overlooked,
        )

    def _calls(self) -> Iterator[Metric]:
        methods = dict(self._numbers.latencies.methods)
        own = HistogramMetricFamily(
            "nsledger_call_own_seconds",
            "The shim's own part of a call, holding it for its record included.",
            labels=["method"],
        )
        runtime = HistogramMetricFamily(
            "nsledger_call_runtime_seconds",
            "The rest of a call: the runtime's part, and the client's if it is slow.",
            labels=["method"],
        )
        in_flight = GaugeMetricFamily(
            "nsledger_method_calls_in_flight", "The same by method.", labels=["method"]
        )
        for method, times in methods.items():
            _add(own, method, times.own)
            _add(runtime, method, times.runtime)
            in_flight.add_metric([method], times.in_flight)
        yield from (own, runtime, in_flight)

    def _recorder(self) -> Iterator[Metric]:
        recorder = self._numbers.recorder
        yield _counter("nsledger_records", "Appended to the ledger.", recorder.appended)
        yield _counter(
            "nsledger_records_synced", "Those that survive a power cut.", recorder.synced
        )
        yield _counter("nsledger_events_dropped", "Lost; gaps have them too.", recorder.dropped)
        yield _gauge("nsledger_queue_depth", "Events not in the ledger yet.", recorder.queue_depth)
        yield _labelled(
            CounterMetricFamily("nsledger_gaps", "What was missed.", labels=["reason"]),
            recorder.gaps,
        )
        yield _labelled(
            CounterMetricFamily(
                "nsledger_ledger_failures", "Failed attempts to write.", labels=["error"]
            ),
            recorder.failures,
        )
        yield _gauge(
            "nsledger_ledger_failing",
            "1 while the ledger cannot be written.",
            int(recorder.failing is not None),
        )
        ledger = self._numbers.ledger
        yield _gauge("nsledger_ledger_bytes", "On disk.", _bytes_in(ledger))
        stage = recorder.disk_stage
        yield _labelled(
            GaugeMetricFamily(
                "nsledger_ledger_disk_stage",
                "1 for how full its file system is: ok, warn, prune (old segments go) or stop.",
                labels=["stage"],
            ),
            {one.value: int(one is stage) for one in DiskStage},
        )
        with contextlib.suppress(OSError):  # a directory that is not there has no file system
            yield _gauge(
                "nsledger_ledger_disk_free_bytes", "On its file system.", free_bytes(ledger)
            )


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(name, documentation, value=value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, int]) -> Metric:
    for label, value in dict(values).items():
        family.add_metric([label], value)
    return family


def _add(family: HistogramMetricFamily, method: str, distribution: Distribution) -> None:
    bounds = [*(str(bound_s) for bound_s in distribution.bounds_s), "+Inf"]
    cumulated: Iterable[int] = accumulate(list(distribution.counts))
    family.add_metric(
        [method], list(zip(bounds, map(float, cumulated), strict=True)), distribution.sum_s
    )


def _bytes_in(directory: str) -> int:
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0


def scraper(numbers: Numbers) -> Callable[[], bytes]:
    """What makes the text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(NsledgerCollector(numbers))
    return lambda: generate_latest(registry)
