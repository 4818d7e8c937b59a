from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone

import pytest

from nsledger.render.tables import date_and_clock, moment, zone_name


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local zone with summer time, by rule, so that no zone database is needed."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_shown_in_the_zone_asked_for() -> None:
    zone = timezone(timedelta(hours=-1), "AZOT")

    assert date_and_clock("2026-11-24T00:03:50.123999999Z", zone) == ("2026-11-23", "23:03:50.123")
    assert moment("2026-11-24T00:03:50.9Z", UTC) == "2026-11-24 00:03:50"
    assert zone_name("2026-11-24T00:03:50Z", zone) == "AZOT"


@pytest.mark.usefixtures("in_berlin")
def test_local_time_has_the_summer_time_of_its_own_day() -> None:
    assert moment("2026-07-01T10:00:00Z", None) == "2026-07-01 12:00:00"
    assert zone_name("2026-07-01T10:00:00Z", None) == "CEST"
    assert moment("2026-12-01T10:00:00Z", None) == "2026-12-01 11:00:00"
    assert zone_name("2026-12-01T10:00:00Z", None) == "CET"
