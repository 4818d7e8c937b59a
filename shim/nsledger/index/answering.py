"""The answer to a question from an index and its ledger: the one that a fold over all would give.

The index only tells which entries count. They are read from the ledger, hashed again, and folded
by `domain.ownership`; where the index cannot tell them apart from the rest, the rest is folded too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from nsledger.domain.answer import Answer, conclude, find, owners
from nsledger.domain.instant import unix_ns
from nsledger.domain.interval import Interval
from nsledger.domain.ownership import Ownership
from nsledger.domain.period import ALWAYS, Period
from nsledger.domain.question import Question
from nsledger.domain.record import Record, decode
from nsledger.domain.unwatched import Unwatched, Watch
from nsledger.index.asking import Asking
from nsledger.index.entries import Entries
from nsledger.index.lines import lines
from nsledger.index.pointer import Pointer, unpack
from nsledger.index.store import Mark, pointer_of
from nsledger.ledger import reader

TAIL_LIMIT: Final = 5_000
"""Entries behind the index that a reader takes along; of more, it had better be extended first."""

_FOREVER_NS: Final = (1 << 63) - 1


def answer(
    database: sqlite3.Connection,
    reached: Mark,
    ledger: str,
    question: Question,
    *,
    asked: str,
    period: Period,
) -> Answer:
    """Answer `question` from `ledger`, to where it ends now; `reached` is the index's mark.

    Raises:
        EntryChangedError: the ledger is not what was indexed.
        LedgerError: a line in it is no entry.
        UnreadableRecordError: an entry is no record.
        OSError: it cannot be read.
    """
    tail = [decode(line) for _, line in lines(ledger, reached.seq, reached.end)]
    entries = Entries(ledger)
    pointers = Asking(database, entries, period=period, tail=tail).pointers(question)
    if pointers is None:
        everything = (decode(entry.line) for entry in reader.entries(ledger))
        return find(everything, question, asked=asked, period=period)
    found = owners([*_records(entries, pointers), *tail], question)
    holes = [] if found and period.is_always else _holes(database, entries, reached, tail, period)
    first = next(reader.entries(ledger), None)
    last = tail[-1:] or _records(entries, [pointer_of(reached)])
    return conclude(
        found,
        holes,
        asked=asked,
        period=period,
        first_time=None if first is None else decode(first.line).time,
        last_time=last[0].time if last else None,
    )


def open_intervals(database: sqlite3.Connection, reached: Mark, ledger: str) -> list[Interval]:
    """What no record has ended, by the records of those who are open.

    One of them may be over by the record of somebody else who got its inode since: whoever looks at
    living processes sees that by their start.

    Raises:
        As `answer`.
    """
    tail = [decode(line) for _, line in lines(ledger, reached.seq, reached.end)]
    entries = Entries(ledger)
    pointers = Asking(database, entries, period=ALWAYS, tail=tail).open_pointers()
    ownership = Ownership()
    for record in [*_records(entries, pointers), *tail]:
        ownership.apply(record)
    return list(ownership.open_intervals())


def _records(entries: Entries, pointers: Iterable[Pointer]) -> list[Record]:
    return [decode(entry.line) for entry in entries.read(at for at in pointers if at.seq)]


def _holes(
    database: sqlite3.Connection,
    entries: Entries,
    reached: Mark,
    tail: Sequence[Record],
    period: Period,
) -> list[Unwatched]:
    """What nobody watched, told by the records on either side of it."""
    since_ns = 0 if period.since is None else unix_ns(period.since)
    until_ns = _FOREVER_NS if period.until is None else unix_ns(period.until)
    holes: list[Unwatched] = []
    for told, packed in database.execute(
        "SELECT told, entries FROM hole WHERE until_ns >= ? AND since_ns <= ? ORDER BY rowid",
        (since_ns, until_ns),
    ):
        # Read for their hashes, and to see that the ledger still has them all.
        pointers = list(unpack(packed))
        if len(list(entries.read(pointers))) == len(pointers):
            holes.append(msgspec.json.decode(told, type=Unwatched))
    watch = Watch()
    for record in [*_records(entries, unpack(reached.recent)), *tail]:
        hole = watch.apply(record)
        if hole is not None and record.seq > reached.seq:
            holes.append(hole)
    return holes
