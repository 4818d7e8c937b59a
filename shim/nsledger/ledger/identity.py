"""Which ledger this is: the one place where the ledger looks into a record, its first."""

from __future__ import annotations

import msgspec

from nsledger.ledger import place
from nsledger.ledger.reader import entries


class _First(msgspec.Struct):
    ledger_id: str = ""


def ledger_id(path: str) -> str | None:
    """The id that the first record of the ledger at `path` gives it.

    Where that record was removed by the rules of retention, what `pruned.json` repeats of it; None
    where the beginning is not here otherwise: it is a later segment, or has no entry yet.

    Raises:
        LedgerError: there is no ledger, or its first line is no entry.
        OSError: it cannot be read.
    """
    pruned = place.find(path).pruned
    if pruned is not None:
        return pruned.ledger_id or None
    for entry in entries(path):
        if entry.seq != 1:
            return None
        try:
            return msgspec.json.decode(entry.line, type=_First).ledger_id or None
        except msgspec.DecodeError:
            return None
    return None
