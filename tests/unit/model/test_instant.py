from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.record import rfc3339


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_what_the_ledger_writes_reads_back_to_the_nanosecond(time_ns: int) -> None:
    assert unix_ns(rfc3339(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("2026-11-24T00:03:50Z", "2026-11-24T00:03:50.000000000Z"),
        ("2026-11-24T01:03:50.5+01:00", "2026-11-24T00:03:50.500Z"),
        ("2026-11-24t00:03:50z", "2026-11-24 00:03:50Z"),
    ],
)
def test_one_moment_written_in_two_ways_is_one_number(text: str, other: str) -> None:
    assert unix_ns(text) == unix_ns(other)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-24", "2026-11-24T00:03:50", "2026-13-24T00:03:50Z", "\u0662026-11-24"],
)
def test_a_text_that_names_no_moment_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(NotAnInstantError) as caught:
        unix_ns(text)

    assert caught.value.text == text
