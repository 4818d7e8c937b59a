"""When the newest record of a ledger was written, to see what happened to time since."""

from __future__ import annotations

from itertools import islice
from typing import Final

from nsledger.ledger.errors import LedgerError
from nsledger.ledger.reader import entries_backwards
from nsledger.model.events import UNCLEAN_STOP, DaemonStarted, DaemonStopped, Gap, Source
from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.record import Moment, Record, UnreadableRecordError, decode, rfc3339
from nsledger.state.coverage import is_about_audit


def last_moment(path: str) -> Moment | None:
    """The moment of the last record of the ledger at `path`; None if there is none to be read.

    Raises:
        LedgerError: there is no ledger, or its last line is no entry.
        OSError: it cannot be read.
    """
    last = next(entries_backwards(path), None)
    if last is None:
        return None
    try:
        record = decode(last.line)
        return Moment(unix_ns(record.time), record.mono_ns, record.boot_id)
    except (UnreadableRecordError, NotAnInstantError):
        return None


# Whether the daemon before this one ended in order, by the last records it left.
#
# One that was killed may have had events that it could not write, and what happened until the
# next
# one watched was seen by nobody. How much that is nobody can know: a gap without a count.

_LOOKED_AT: Final = 10_000
"""Records about the audit alone that may follow a `daemon.stopped`: what was missed, told as the
ledger was closed, and what daemons told that never got as far as `daemon.started`."""


def unclean_stop(directory: str, now: Moment) -> Gap | None:
    """What may be missing between the last record in `directory` and now; None after a clean end.

    To be asked before anything else is written.

    Raises:
        OSError: the ledger cannot be read.
    """
    last: Record | None = None
    try:
        for entry in islice(entries_backwards(directory), _LOOKED_AT):
            record = decode(entry.line)
            last = last or record
            event = record.event
            if isinstance(event, DaemonStopped):
                return None  # a successor's own start, if it came to one, is behind a hand-over
            if isinstance(event, DaemonStarted) or not is_about_audit(event):
                break
        else:
            if last is None or last.seq <= _LOOKED_AT:
                return None  # no daemon has ever watched
    except (LedgerError, UnreadableRecordError):
        pass  # a damaged end is no clean one
    if last is None:
        return None
    return Gap(
        source=Source.DAEMON,
        reason=UNCLEAN_STOP,
        count=None,
        first_time=last.time,
        last_time=rfc3339(now.time_ns),
        detail=f"no daemon.stopped before record {last.seq + 1}",
    )
