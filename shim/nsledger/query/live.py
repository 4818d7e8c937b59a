"""Whether what is on record still holds: `nsledger whois --live`."""

from __future__ import annotations

from collections.abc import Iterable

from nsledger.proc import host
from nsledger.proc.namespaces import CHANGED, read_namespaces
from nsledger.proc.nsfs import bind_mounts
from nsledger.proc.process import is_alive
from nsledger.state.intervals import Interval, Life


def state_of(intervals: Iterable[Interval]) -> tuple[Life, ...]:
    """Of each interval, what /proc says of its process now."""
    boot_id = host.boot_id()
    return tuple(_state(interval, boot_id) for interval in intervals)


def _is_mounted(interval: Interval) -> bool:
    """Whether a namespace that a sandbox keeps without a process is still mounted somewhere."""
    return any(
        held.type is interval.type and held.identity.same_as(interval.identity)
        for held in bind_mounts()
    )


def _state(interval: Interval, boot_id: str) -> Life:
    if interval.boot_id != boot_id:
        return Life.GONE
    if not interval.pid:
        return Life.THERE if _is_mounted(interval) else Life.GONE
    if interval.start_ticks is not None and not is_alive(interval.pid, interval.start_ticks):
        return Life.GONE  # a zombie still shows some of its namespaces
    reading = read_namespaces(interval.pid, start_ticks=interval.start_ticks)
    identity = reading.namespaces.get(interval.type)
    if identity is not None:
        return Life.THERE if identity.same_as(interval.identity) else Life.ELSEWHERE
    if reading.missing.get(interval.type) in {CHANGED, "ENOENT", "ESRCH"}:
        return Life.GONE
    return Life.UNREADABLE
