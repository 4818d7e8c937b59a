"""When nobody watched: the holes in the record, as far as the record tells of them."""

from __future__ import annotations

from typing import Final

import msgspec

from nsledger.model.events import (
    UNCLEAN_STOP,
    ClockStepped,
    DaemonStarted,
    DaemonStopped,
    Gap,
    LedgerCreated,
    LedgerRecovered,
    NodeRebooted,
    Source,
)
from nsledger.model.instants import unix_ns
from nsledger.model.record import Moment, Record, rfc3339


class Unwatched(msgspec.Struct, frozen=True):
    """A span of time in which something may have happened that is not on record."""

    since: str
    """RFC 3339."""
    until: str
    reason: str
    evidence: tuple[int, ...]
    """Sequence numbers of the records on either side, or of the gap."""


class Watch:
    """A fold over all records of a ledger, in order."""

    def __init__(self) -> None:
        self._last: Record | None = None
        """The last record of the daemon before; a new one first tells of the ledger and the time
        that it found."""

    def apply(self, record: Record) -> Unwatched | None:
        """Take in the next record; the hole that it tells of, if it does."""
        event, last = record.event, self._last
        if isinstance(event, LedgerCreated | LedgerRecovered | NodeRebooted | ClockStepped):
            return None
        if isinstance(event, Gap) and event.reason == UNCLEAN_STOP:
            return None  # the start that follows tells the same, from the same record on
        self._last = record
        if isinstance(event, Gap):
            reason = f"gap: {event.reason} ({event.count})"
            return Unwatched(event.first_time, event.last_time, reason, (record.seq,))
        if not isinstance(event, DaemonStarted) or last is None:
            return None
        if event.predecessor_pid:
            return None  # two watched for a while, which is no hole
        if record.boot_id != last.boot_id:
            reason = "the node was restarted"
        elif isinstance(last.event, DaemonStopped):
            reason = "nsledger serve was stopped"
        else:
            reason = "nsledger serve was killed"
        # A clock that was set back meanwhile leaves times that mean two moments: a hole as well.
        since, until = sorted((last.time, record.time), key=unix_ns)
        return Unwatched(since, until, reason, (last.seq, record.seq))


# Whether time went on as it should between two records: pure.
#
# CLOCK_MONOTONIC cannot be set, so within one boot both clocks advance alike, but for the few
# hundred
# microseconds a second by which a daemon that keeps time may slow or hurry the wall clock. What
# is
# more was a step: somebody set the clock, or the machine slept, which CLOCK_MONOTONIC does not
# count.
#
# Source: clock_gettime(2), adjtimex(2).

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
