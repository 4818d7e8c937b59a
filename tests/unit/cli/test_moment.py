from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone, tzinfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.cli.options import MomentType, parse_moment
from nsledger.model.instants import unix_ns
from nsledger.model.record import rfc3339

NOW = "2026-11-24T12:34:56.789Z"
PLUS_2 = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("now", UTC, NOW),
        ("10m", UTC, "2026-11-24T12:24:56.789Z"),
        ("-10m", UTC, "2026-11-24T12:24:56.789Z"),
        ("1h30m", UTC, "2026-11-24T11:04:56.789Z"),
        ("3d", UTC, "2026-11-21T12:34:56.789Z"),
        ("2w", UTC, "2026-11-10T12:34:56.789Z"),
        ("0s", UTC, NOW),
        ("5min", UTC, "2026-11-24T12:29:56.789Z"),
        ("1 hour ago", UTC, "2026-11-24T11:34:56.789Z"),
        ("2 hours 5 minutes ago", UTC, "2026-11-24T10:29:56.789Z"),
        ("1h 30min", UTC, "2026-11-24T11:04:56.789Z"),
        ("-1 week ago", UTC, "2026-11-17T12:34:56.789Z"),
        ("14:03", UTC, "2026-11-24T14:03:00Z"),
        ("01:02:03", PLUS_2, "2026-11-23T23:02:03Z"),
        ("@1795500000.5", UTC, "2026-11-24T06:00:00.5Z"),
        ("today", UTC, "2026-11-24T00:00:00Z"),
        ("yesterday", UTC, "2026-11-23T00:00:00Z"),
        ("today", PLUS_2, "2026-11-23T22:00:00Z"),
        ("2026-11-24", UTC, "2026-11-24T00:00:00Z"),
        ("2026-11-24 10:00", UTC, "2026-11-24T10:00:00Z"),
        ("2026-11-24 10:00", PLUS_2, "2026-11-24T08:00:00Z"),
        ("2026-11-24T10:00:01.5", UTC, "2026-11-24T10:00:01.5Z"),
        ("2026-11-24T10:00:00.000000001+01:00", PLUS_2, "2026-11-24T09:00:00.000000001Z"),
        (" 2026-11-24 10:00 ", UTC, "2026-11-24T10:00:00Z"),
    ],
)
def test_each_way_to_write_a_moment_means_one(text: str, zone: tzinfo, moment: str) -> None:
    assert parse_moment(text, now_ns=unix_ns(NOW), zone=zone) == unix_ns(moment)


NO_MOMENTS = (
    "",
    "soon",
    "10",
    "10x",
    "m",
    "1 hourago",
    "10 monkeys",
    "5 ago",
    "25:00",
    "@",
    "2026-11-31",
    "2026-11-24 25:00",
    "24.11.2026",
    "99999w",
    "9999999999999999999w",
    "0001-01-01",
    "9999-12-31",
    "2026-11-24T10:00:00+99:99",
    "\u0661\u0660m",
)


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_moment(text, now_ns=unix_ns(NOW), zone=UTC)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_local_time_has_the_summer_time_of_its_own_day() -> None:
    summer = parse_moment("2026-07-01 10:00", now_ns=unix_ns(NOW), zone=None)
    winter = parse_moment("2026-12-01 10:00", now_ns=unix_ns(NOW), zone=None)
    today = parse_moment("today", now_ns=unix_ns(NOW), zone=None)

    assert rfc3339(summer).startswith("2026-07-01T08:00")
    assert rfc3339(winter).startswith("2026-12-01T09:00")
    assert rfc3339(today).startswith("2026-11-23T23:00")


@given(st.text(max_size=60))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    for zone in (UTC, None):
        try:
            moment_ns = parse_moment(text, now_ns=unix_ns(NOW), zone=zone)
        except ValueError:
            continue
        assert moment_ns >= 0


def test_a_refusal_on_the_command_line_says_what_would_do() -> None:
    with pytest.raises(click.BadParameter, match="needed a time such as 10m"):
        MomentType().convert("\x1b[2J", None, None)
