"""Moments for people: in one zone, to the millisecond at most.

A zone of None is the local one, with summer time as it was at that moment.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, tzinfo

from nsledger.domain.instant import unix_ns

_NS_PER_S = 1_000_000_000


def date_and_clock(time: str, zone: tzinfo | None) -> tuple[str, str]:
    """`2026-11-24` and `00:03:50.123` of an RFC 3339 time, in `zone`."""
    seconds, fraction = divmod(unix_ns(time), _NS_PER_S)
    date, _, clock = _in_zone(seconds, zone).partition(" ")
    return date, f"{clock}.{fraction // 1_000_000:03d}"


def moment(time: str, zone: tzinfo | None) -> str:
    """`2026-11-24 00:03:50` of an RFC 3339 time, in `zone`."""
    return _in_zone(unix_ns(time) // _NS_PER_S, zone)


def zone_name(time: str, zone: tzinfo | None) -> str:
    """What the zone was called at `time`: `UTC`, `CET`, `CEST`."""
    return _then(unix_ns(time) // _NS_PER_S, zone).tzname() or "local time"


@functools.lru_cache(maxsize=8)
def _in_zone(seconds: int, zone: tzinfo | None) -> str:
    return _then(seconds, zone).strftime("%Y-%m-%d %H:%M:%S")


def _then(seconds: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone)
