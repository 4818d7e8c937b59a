"""Where somebody who reads a ledger again and again has got to, and whether it can be gone on from.

A cursor is the number of the last entry that was read and the hash of its line, `12:9a0f…`: what a
reader has in hand after each line. The hash tells whether the ledger is still the one it was read
from; a number alone would go on in another one without a word.
"""

from __future__ import annotations

import re
from typing import Final

from nsledger.ledger import place
from nsledger.ledger.chain import GENESIS, Head
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.reader import entries

_CURSOR: Final = re.compile(r"(0|[1-9][0-9]{0,18}):([0-9a-f]{64})").fullmatch


class NotACursorError(LedgerError):
    """A text that names no place in a ledger."""

    def __init__(self, *, text: str) -> None:
        super().__init__(f"found {text[:80]!r}, needed SEQ:HASH")


class CursorReplacedError(LedgerError):
    """The ledger does not hold what the cursor was taken from."""

    hint = (
        "The ledger was replaced, cut or rewritten since: `nsledger verify` with a checkpoint "
        "tells more. Without --cursor it is read from its beginning."
    )

    def __init__(self, *, cursor: Head, found: str) -> None:
        super().__init__(f"found {found}, needed entry {cursor.seq} with the hash {cursor.digest}")
        self.cursor = cursor


class CursorPrunedError(LedgerError):
    """Entries behind the cursor were removed by the rules of retention before they were read."""

    hint = "Read on from the beginning, without --cursor, and keep more or read more often."

    def __init__(self, *, cursor: Head, before: Head) -> None:
        super().__init__(
            f"found a ledger that begins with entry {before.seq + 1}, needed entry "
            f"{cursor.seq + 1}: {before.seq - cursor.seq} were removed by retention"
        )
        self.cursor, self.before = cursor, before


def parse(text: str) -> Head:
    """The cursor that `text`, `SEQ:HASH`, stands for.

    Raises:
        NotACursorError: it is none.
    """
    found = _CURSOR(text)
    if found is None:
        raise NotACursorError(text=text)
    return Head(seq=int(found[1]), digest=found[2])


def check(path: str, cursor: Head) -> None:
    """Refuse a cursor from which nobody can go on in the ledger at `path` without a hole.

    Raises:
        CursorPrunedError: what comes next was removed by the rules.
        CursorReplacedError: the entry is not there, or is another one.
        LedgerError: there is no ledger.
        OSError: it cannot be read.
    """
    before = place.find(path).before
    if cursor.seq < before.seq:
        raise CursorPrunedError(cursor=cursor, before=before)
    if cursor.seq == before.seq:
        found = before
    else:
        entry = next(entries(path, cursor.seq), None)
        if entry is None or entry.seq != cursor.seq:
            raise CursorReplacedError(cursor=cursor, found="a ledger without that entry")
        found = entry.head
    if found != cursor:
        beginning = " (the ledger's beginning)" if found == GENESIS else ""
        raise CursorReplacedError(cursor=cursor, found=f"the hash {found.digest}{beginning}")
