from __future__ import annotations

import threading
import time
from itertools import count

from nsledger.auditor.idle_gate import IdleGate


def test_it_waits_for_a_rest_of_the_relay() -> None:
    relayed = iter([100, 200, 300, 300])

    IdleGate(lambda: next(relayed)).wait(threading.Event())

    assert next(relayed, None) is None


def test_a_rest_lasts_until_something_is_relayed_again() -> None:
    relayed = [100]
    idle_gate = IdleGate(lambda: relayed[0])
    idle_gate.wait(threading.Event())
    began_s = time.monotonic()

    for _ in range(100):
        idle_gate.wait(threading.Event())

    assert time.monotonic() - began_s < 0.5
    relayed[0] = 200
    began_s = time.monotonic()
    idle_gate.wait(threading.Event())
    assert time.monotonic() - began_s >= 0.01


def test_a_relay_that_never_rests_is_not_waited_for() -> None:
    relayed = count()
    began_s = time.monotonic()

    IdleGate(lambda: next(relayed)).wait(threading.Event())

    assert 1 <= time.monotonic() - began_s < 5
    assert next(relayed) > 20


def test_what_is_urgent_waits_for_nothing() -> None:
    urgent = threading.Event()
    urgent.set()
    relayed = count()

    IdleGate(lambda: next(relayed)).wait(urgent)

    assert next(relayed) == 1
