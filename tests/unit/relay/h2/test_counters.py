from __future__ import annotations

from nsledger.relay.h2.counters import OTHER_PATHS, Counters


def test_calls_are_counted_by_path_and_a_flood_of_paths_does_not_grow() -> None:
    counters = Counters()
    for number in range(10_000):
        counters.count_call(f"/{number}")
    counters.count_call("/0")

    assert len(counters.calls) <= 257
    assert counters.calls["/0"] == 2
    assert sum(counters.calls.values()) == 10_001
    assert counters.calls[OTHER_PATHS] > 9_000


def test_gaps_are_counted_by_reason() -> None:
    counters = Counters()
    counters.count_overlooked("oversized")
    counters.count_overlooked("oversized")

    assert counters.overlooked == {"oversized": 2}
