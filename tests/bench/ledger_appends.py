"""Who gets rows onto the disk how fast: the ledger, SQLite, and a loop that can do no better.

The ledger is given events and encodes them; the others get the finished bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nsledger.ledger.line import GENESIS, link
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.record import Moment, encode
from nsledger.recorder.recorder import Recorder
from tests.bench import generated_ledger
from tests.bench.generated_ledger import moments

ROUNDS = 5
MANY, FEW = 60_000, 1_500
"""Rows of a round that is not synced one by one, and of one that is."""
BATCH = 64

EVENTS = list(itertools.islice(itertools.cycle(generated_ledger.events()), MANY))
ROWS = list(map(encode, EVENTS, moments()))
LINES = link(GENESIS, ROWS)[0].splitlines(keepends=True)

Contender = Callable[[str], Iterator[int]]
"""Works in a directory of its own. Yields 0 when it is ready, then how many rows it has put in."""


def ledger_unsynced(directory: str) -> Iterator[int]:
    """One write(2) for each."""
    with contextlib.closing(LedgerWriter.open(directory)) as writer:
        yield 0
        for event, at in zip(EVENTS, moments(), strict=False):
            writer.append([encode(event, at)])
        yield MANY


def ledger_unsynced_batched(directory: str) -> Iterator[int]:
    """One write(2) for 64, as the daemon's recorder does of what came in meanwhile."""
    with contextlib.closing(LedgerWriter.open(directory)) as writer:
        yield 0
        told = map(encode, EVENTS, moments())
        while batch := list(itertools.islice(told, BATCH)):
            writer.append(batch)
        yield MANY


def ledger_batched(directory: str) -> Iterator[int]:
    """One write(2) and one fdatasync(2) for 64."""
    with contextlib.closing(LedgerWriter.open(directory)) as writer:
        yield 0
        told = map(encode, EVENTS, moments())
        while batch := list(itertools.islice(told, BATCH)):
            writer.append(batch)
            writer.sync()
        yield MANY


def ledger_synced(directory: str) -> Iterator[int]:
    """Both for each."""
    with contextlib.closing(LedgerWriter.open(directory)) as writer:
        yield 0
        for event, at in zip(EVENTS[:FEW], moments(), strict=False):
            writer.append([encode(event, at)])
            writer.sync()
        yield FEW


def recorder(directory: str) -> Iterator[int]:
    """As in the daemon: a thread of its own, a ticket for each, synced within 50 ms."""
    ticks = moments()

    def now() -> Moment:
        return next(ticks)

    made = Recorder(
        lambda: LedgerWriter.open(directory),
        now=now,
        new_ledger_id=lambda: "3f" * 16,
        queue_limit=2 * MANY,
    )
    made.start()
    made.record(EVENTS[0], at=now()).wait(10)
    yield 0
    for event in EVENTS:
        made.record(event, at=now())
    made.close(60)
    yield MANY


def bare_loop(directory: str) -> Iterator[int]:
    """write(2), fdatasync(2), nothing else."""
    file = os.open(f"{directory}/file", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    yield 0
    for line in LINES[:FEW]:
        os.write(file, line)
        os.fdatasync(file)
    yield FEW
    os.close(file)


def sqlite_unsynced(directory: str) -> Iterator[int]:
    """A transaction for each."""
    yield from _sqlite(directory, ROWS, 1, synchronous="OFF")


def sqlite_batched(directory: str) -> Iterator[int]:
    """A transaction for 64."""
    yield from _sqlite(directory, ROWS, BATCH, synchronous="FULL")


def sqlite_synced(directory: str) -> Iterator[int]:
    """A transaction for each."""
    yield from _sqlite(directory, ROWS[:FEW], 1, synchronous="FULL")


def _sqlite(directory: str, rows: list[bytes], batch: int, *, synchronous: str) -> Iterator[int]:
    with contextlib.closing(sqlite3.connect(f"{directory}/db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        yield 0
        for start in range(0, len(rows), batch):
            if batch > 1:
                database.execute("BEGIN")
            for row in rows[start : start + batch]:
                database.execute("INSERT INTO record (record) VALUES (?)", (row,))
            if batch > 1:
                database.execute("COMMIT")
        yield len(rows)


CONTENDERS: dict[str, Contender] = {
    "ledger, not synced": ledger_unsynced,
    "ledger, not synced, 64 to a write": ledger_unsynced_batched,
    "SQLite WAL, not synced": sqlite_unsynced,
    "through the daemon's recorder": recorder,
    "ledger, 64 synced together": ledger_batched,
    "SQLite WAL, 64 synced together": sqlite_batched,
    "ledger, synced one by one": ledger_synced,
    "SQLite WAL, synced one by one": sqlite_synced,
    "bare write and fdatasync": bare_loop,
}


def rates(where: Path) -> dict[str, list[float]]:
    """Rows per second of each contender in each round; a round has all, in another order."""
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(ROUNDS):
        order = random.Random(number).sample(list(CONTENDERS.items()), len(CONTENDERS))
        for name, contender in order:
            with tempfile.TemporaryDirectory(dir=where) as directory:
                os.sync()
                at_work = contender(directory)
                next(at_work)
                began_s = time.perf_counter()
                rows = next(at_work)
                found[name].append(rows / (time.perf_counter() - began_s))
                for _ in at_work:
                    pass
    return found


def ratio(found: dict[str, list[float]], name: str, other: str) -> float:
    """The median over the rounds of `name` to `other` in the same round."""
    return statistics.median(one / two for one, two in zip(found[name], found[other], strict=True))
