"""When nobody watched: the holes in the record, as far as the record tells of them."""

from __future__ import annotations

import msgspec

from nsledger.domain.events import (
    UNCLEAN_STOP,
    ClockStepped,
    DaemonStarted,
    DaemonStopped,
    Gap,
    LedgerCreated,
    LedgerRecovered,
    NodeRebooted,
)
from nsledger.domain.instant import unix_ns
from nsledger.domain.record import Record


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
