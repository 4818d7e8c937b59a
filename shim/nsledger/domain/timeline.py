"""Whether time went on as it should between two records: pure.

CLOCK_MONOTONIC cannot be set, so within one boot both clocks advance alike, but for the few hundred
microseconds a second by which a daemon that keeps time may slow or hurry the wall clock. What is
more was a step: somebody set the clock, or the machine slept, which CLOCK_MONOTONIC does not count.

Source: clock_gettime(2), adjtimex(2).
"""

from __future__ import annotations

from typing import Final

from nsledger.domain.events import ClockStepped, NodeRebooted, Source
from nsledger.domain.record import Moment, rfc3339

DEFAULT_STEP_NS: Final = 1_000_000_000
"""Less is not told: no two records need an order that fine, and the sequence has it."""
_SLEW: Final = 2000
"""One part in this may be slewing: adjtimex(2) allows 500 in a million."""


def discontinuity(
    before: Moment, at: Moment, *, step_ns: int = DEFAULT_STEP_NS
) -> ClockStepped | NodeRebooted | None:
    """What has to be recorded between a record of the moment `before` and one of the moment `at`.

    Args:
        before: Of the record that was written last.
        at: Of the next one.
        step_ns: From how many nanoseconds on a step counts.
    """
    if at.boot_id != before.boot_id:
        return NodeRebooted(
            source=Source.DAEMON,
            before_boot_id=before.boot_id,
            before_time=rfc3339(before.time_ns),
        )
    elapsed_ns = at.mono_ns - before.mono_ns
    stepped_ns = at.time_ns - before.time_ns - elapsed_ns
    if abs(stepped_ns) < step_ns + abs(elapsed_ns) // _SLEW:
        return None
    return ClockStepped(
        source=Source.DAEMON,
        step_ns=stepped_ns,
        elapsed_ns=elapsed_ns,
        before_time=rfc3339(before.time_ns),
    )
