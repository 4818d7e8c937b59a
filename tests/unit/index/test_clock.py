from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.index.skim import Times
from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.record import rfc3339


@given(st.lists(st.integers(0, 4_000_000_000_000_000_000)))
def test_times_are_read_as_the_domain_reads_them(moments: list[int]) -> None:
    times = Times()

    assert [times.ns(rfc3339(moment)) for moment in moments] == moments


@pytest.mark.parametrize(
    "text", ["2026-11-24T00:03:50Z", "2026-11-24T00:03:50.5+01:00", "2026-11-24T00:03:50.1234567Z"]
)
def test_other_forms_are_read_too(text: str) -> None:
    assert Times().ns(text) == unix_ns(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-24T00:03:50.12345678xZ"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(NotAnInstantError):
        Times().ns(text)
