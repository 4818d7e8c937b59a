"""Bounds of time on a machine that others use too.

One measurement cannot tell a fault from a slow moment of the machine; several in a row can, for a
fault is there each time.
"""

from __future__ import annotations

from collections.abc import Callable


def soonest(measure: Callable[[], float], *, enough: float, tries: int = 4) -> float:
    """The lowest of up to `tries` measurements, of which one that is under `enough` is the last."""
    lowest = measure()
    for _ in range(tries - 1):
        if lowest < enough:
            break
        lowest = min(lowest, measure())
    return lowest


def usual(measured: list[float]) -> float:
    """The median: what is so most of the time."""
    return sorted(measured)[len(measured) // 2]
