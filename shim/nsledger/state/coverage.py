"""When nobody watched: the holes in the record, as far as the record tells of them."""

from __future__ import annotations

from typing import Final

import msgspec

from nsledger.model.events import (
    HANDED_OVER,
    UNCLEAN_STOP,
    ClockStepped,
    DaemonEvent,
    DaemonStarted,
    DaemonStopped,
    Event,
    Gap,
    LedgerEvent,
    NodeRebooted,
    Source,
    UnknownEvent,
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
    """When nobody watched: a fold over all records of a ledger, in order.

    A daemon's session begins with its `daemon.started`, but before that record it may tell of the
    ledger, its disk and its clock: such records are of no session. So a hole goes from the
    `daemon.stopped` of the session before to the start, whatever else the daemon says in between;
    after a daemon that was killed, from the last record that was certainly its own.
    """

    def __init__(self) -> None:
        self._last: Record | None = None
        """The last record that only a running daemon writes: its start, or about a pod."""
        self._stopped: Record | None = None
        """The `daemon.stopped` since then."""
        self._unclean: Record | None = None
        """The gap since then that says after which time a daemon was killed."""

    @property
    def stopped(self) -> Record | None:
        """The record since which nobody watches; None while a daemon does, or was killed."""
        return self._stopped

    @property
    def basis(self) -> tuple[int, ...]:
        """The numbers of the records that a fold over what follows has to begin with."""
        kept = (self._last, self._stopped, self._unclean)
        return tuple(sorted(record.seq for record in kept if record is not None))

    def apply(self, record: Record) -> Unwatched | None:
        """Take in the next record; the hole that it tells of, if it does."""
        event = record.event
        if isinstance(event, DaemonStarted):
            hole = self._hole_until(record, event)
            self._last, self._stopped, self._unclean = record, None, None
            return hole
        if not is_about_audit(event):
            self._last, self._stopped, self._unclean = record, None, None
            return None
        if isinstance(event, DaemonStopped) and event.reason != HANDED_OVER:
            self._stopped = record
        elif isinstance(event, Gap) and event.reason == UNCLEAN_STOP:
            self._unclean = self._unclean or record  # the start that follows tells the same hole
        elif isinstance(event, Gap):
            reason = f"gap: {event.reason} ({event.count})"
            return Unwatched(event.first_time, event.last_time, reason, (record.seq,))
        return None

    def _hole_until(self, record: Record, event: DaemonStarted) -> Unwatched | None:
        last = self._stopped or self._last or self._unclean
        if event.predecessor_pid or last is None:
            return None  # two that hand over watch both for a while, and the first has none before
        since = last.time
        if self._stopped is None and self._unclean is not None:
            gap = self._unclean.event
            if isinstance(gap, Gap):
                since = max(since, gap.first_time, key=unix_ns)
        if record.boot_id != last.boot_id:
            reason = "the node was restarted"
        elif self._stopped is not None:
            reason = "nsledger serve was stopped"
        else:
            reason = "nsledger serve was killed"
        # A clock that was set back meanwhile leaves times that mean two moments: a hole as well.
        since, until = sorted((since, record.time), key=unix_ns)
        return Unwatched(since, until, reason, (last.seq, record.seq))


def is_about_audit(event: Event | UnknownEvent) -> bool:
    """Whether it tells of the audit itself, and not of a pod: who writes it need not watch yet."""
    if isinstance(event, UnknownEvent):
        return event.source == Source.DAEMON
    return isinstance(event, LedgerEvent | DaemonEvent)


# Whether time went on as it should between two records: pure.
#
# CLOCK_MONOTONIC cannot be set, so within one boot both clocks advance alike, but for the few
# hundred microseconds a second by which a daemon that keeps time may slow or hurry the wall clock.
# What is more was a step: somebody set the clock, or the machine slept, which CLOCK_MONOTONIC does
# not count.
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
