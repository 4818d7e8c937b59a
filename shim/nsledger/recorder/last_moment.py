"""When the newest record of a ledger was written, to see what happened to time since."""

from __future__ import annotations

from nsledger.domain.instant import NotAnInstantError, unix_ns
from nsledger.domain.record import Moment, UnreadableRecordError, decode
from nsledger.ledger.backwards import entries_backwards


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
