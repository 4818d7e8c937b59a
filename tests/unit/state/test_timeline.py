from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nsledger.model.events import ClockStepped, NodeRebooted, Source
from nsledger.model.record import Moment, rfc3339
from nsledger.state.coverage import DEFAULT_STEP_NS, discontinuity

S = 1_000_000_000
BEFORE = Moment(time_ns=1_795_478_630 * S, mono_ns=7 * S, boot_id="one")
elapsed = st.integers(0, 400 * 86_400 * S)


def after(elapsed_ns: int, stepped_ns: int = 0) -> Moment:
    return Moment(BEFORE.time_ns + elapsed_ns + stepped_ns, BEFORE.mono_ns + elapsed_ns, "one")


@given(elapsed, st.integers(-500, 500))
def test_clocks_that_go_on_or_are_slewed_are_no_step(elapsed_ns: int, per_million: int) -> None:
    at = after(elapsed_ns, elapsed_ns * per_million // 1_000_000)

    assert discontinuity(BEFORE, at) is None


@given(st.integers(0, 600 * S), st.integers(2 * S, 10**18), st.sampled_from([1, -1]))
def test_a_step_is_told_with_its_size_and_direction(
    elapsed_ns: int, size_ns: int, sign: int
) -> None:
    found = discontinuity(BEFORE, after(elapsed_ns, sign * size_ns))

    assert isinstance(found, ClockStepped)
    assert (found.step_ns, found.elapsed_ns) == (sign * size_ns, elapsed_ns)
    assert found.before_time == rfc3339(BEFORE.time_ns)


def test_the_threshold_is_the_callers() -> None:
    assert discontinuity(BEFORE, after(S, DEFAULT_STEP_NS // 2)) is None
    assert discontinuity(BEFORE, after(S, DEFAULT_STEP_NS // 2), step_ns=S // 10) is not None


def test_records_that_were_written_in_another_order_than_they_happened_are_no_step() -> None:
    assert discontinuity(BEFORE, after(-5 * S)) is None


def test_another_boot_is_told_and_never_a_step() -> None:
    at = msgspec.structs.replace(after(0), mono_ns=1, boot_id="two")

    assert discontinuity(BEFORE, at) == NodeRebooted(
        source=Source.DAEMON,
        before_boot_id="one",
        before_time=rfc3339(BEFORE.time_ns),
    )
