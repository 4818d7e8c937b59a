from __future__ import annotations

from nsledger.relay.h2.counters import OTHER_PATHS, OWN_BOUNDS_S, Distribution, Latencies


def test_a_value_falls_into_the_first_bucket_that_holds_it() -> None:
    distribution = Distribution((0.1, 1.0))

    for value_s in (0.05, 0.1, 0.5, 1.0, 7.0):
        distribution.add(value_s)

    assert distribution.counts == [2, 2, 1]
    assert distribution.sum_s == 8.65


def test_bounds_rise() -> None:
    assert list(OWN_BOUNDS_S) == sorted(set(OWN_BOUNDS_S))


def test_a_client_cannot_make_it_grow_without_bound_by_inventing_paths() -> None:
    latencies = Latencies()

    for number in range(1000):
        latencies.of(f"/invented/{number}").in_flight += 1

    assert len(latencies.methods) == 257
    assert latencies.methods[OTHER_PATHS].in_flight == 1000 - 256
