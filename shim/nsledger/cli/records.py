"""The records of a ledger, read from a path."""

from __future__ import annotations

from collections.abc import Iterator

from nsledger.domain.record import Record, decode
from nsledger.ledger.reader import entries


def records(path: str) -> Iterator[Record]:
    """All records of the ledger at `path`, in order.

    Raises:
        LedgerError: there is no ledger, or a line in it is no entry.
        UnreadableRecordError: an entry is no record.
        OSError: it cannot be read.
    """
    for entry in entries(path):
        yield decode(entry.line)
