from __future__ import annotations

import pytest

from nsledger.relay.h2.counters import Latencies
from nsledger.relay.timing import Stopwatch

PATH = "/runtime.v1.RuntimeService/Version"


class Clock:
    """Says what it was told."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> int:
        return self.now_us * 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_calls_time_is_the_shims_while_it_is_in_the_shim_and_the_runtimes_between(
    clock: Clock,
) -> None:
    latencies = Latencies()
    stopwatch = Stopwatch(latencies, clock)
    clock.now_us = 100
    stopwatch.turn_began()
    stopwatch.call_began(1, PATH)
    clock.now_us = 130
    stopwatch.turn_ended()
    assert latencies.of(PATH).in_flight == 1

    clock.now_us = 5130
    stopwatch.turn_began()
    stopwatch.call_ended(1)
    clock.now_us = 5140
    stopwatch.turn_ended()

    times = latencies.of(PATH)
    assert times.own.sum_s == pytest.approx(40e-6)
    assert times.runtime.sum_s == pytest.approx(5000e-6)
    assert sum(times.own.counts) == sum(times.runtime.counts) == 1
    assert times.in_flight == 0


def test_the_time_that_a_request_is_held_is_the_shims(clock: Clock) -> None:
    latencies = Latencies()
    stopwatch = Stopwatch(latencies, clock)
    stopwatch.turn_began()
    stopwatch.call_began(1, PATH)
    clock.now_us = 30
    stopwatch.turn_ended()
    clock.now_us = 2000  # its record is written
    stopwatch.call_released(1)
    clock.now_us = 2010
    stopwatch.turn_ended()

    clock.now_us = 3010
    stopwatch.turn_began()
    stopwatch.call_ended(1)
    stopwatch.turn_ended()

    assert latencies.of(PATH).own.sum_s == pytest.approx(2010e-6)
    assert latencies.of(PATH).runtime.sum_s == pytest.approx(1000e-6)


def test_an_end_that_nobody_saw_begin_is_nothing(clock: Clock) -> None:
    latencies = Latencies()
    stopwatch = Stopwatch(latencies, clock)

    stopwatch.call_released(7)
    stopwatch.call_ended(7)
    stopwatch.turn_ended()

    assert latencies.methods == {}


def test_a_call_whose_headers_could_not_be_read_is_counted_apart(clock: Clock) -> None:
    latencies = Latencies()

    Stopwatch(latencies, clock).call_began(1, None)

    assert latencies.methods["other"].in_flight == 1
