"""Takes an index from where it stands to the end of its ledger."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
from collections.abc import Callable, Generator
from typing import Final

import msgspec

from nsledger.domain.instant import NotAnInstantError
from nsledger.domain.record import decode
from nsledger.index.entries import Entries
from nsledger.index.lines import lines
from nsledger.index.pointer import DIGEST_CHARACTERS, Pointer, pack, unpack
from nsledger.index.skim import Opening, Skimmed, opening, skim
from nsledger.index.store import Mark, Store, resume
from nsledger.index.watching import ABOUT_PODS, Watching
from nsledger.ledger.chain import digest_of

BATCH: Final = 50_000
"""Entries in one transaction of a build: a row that changes on and on is written once in it."""

Progress = Callable[[int], object]
"""Told how many bytes of the ledger were taken in since the last call."""


class Builder:
    """An index that is being written, by nobody else. Keeps what is open between two calls."""

    def __init__(self, database: sqlite3.Connection, ledger: str, reached: Mark) -> None:
        self.reached = reached
        """Up to where the index goes."""
        self._database = database
        self._ledger = ledger
        self._scan = resume(database, reached)
        pointers = {at.seq: at for at in unpack(reached.recent)}
        recent = Entries(ledger).read(pointers.values()) if pointers else ()
        self._store = Store(database)
        self._watching = Watching((pointers[one.seq], decode(one.line)) for one in recent)

    def extend(
        self,
        *,
        batch: int = BATCH,
        progress: Progress | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Index the entries that are new, to where the ledger ends by then.

        Args:
            batch: Entries in one transaction.
            progress: Called after each transaction.
            go_on: Asked after each transaction; False ends it there.

        Raises:
            LedgerError: there is no ledger, or a line in it is no entry.
            OSError: it cannot be read.
            sqlite3.Error: the index cannot be written.
        """
        before: Skimmed | Opening | None = None
        before_at, before_line = 0, b""
        count, began_at = 0, 0
        read_bytes = 0
        apply = self._apply
        record: Skimmed | Opening
        for offset, line in lines(self._ledger, self.reached.seq, self.reached.end):
            try:
                record = skim(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                record = opening(line)
            if before is not None:
                # What a line hashes to stands in the line after it.
                apply(before, before_at, before_line, record.prev)
                if count >= batch:
                    self._commit(before, before_at, before_line)
                    count = 0
                    if progress is not None:
                        progress(read_bytes - began_at)
                        began_at = read_bytes
                    if not go_on():
                        return
            before, before_at, before_line = record, offset, line
            count += 1
            read_bytes += len(line)
        if before is not None:
            apply(before, before_at, before_line, digest_of(before_line))
            self._commit(before, before_at, before_line)
            if progress is not None:
                progress(read_bytes - began_at)

    def _apply(self, record: Skimmed | Opening, offset: int, line: bytes, digest: str) -> None:
        at = record.seq, offset, int(digest[:DIGEST_CHARACTERS], 16)
        if isinstance(record, Opening):
            self._scan.odd.append(at)
            return
        try:
            self._scan.apply(record, at)
            if record.event in ABOUT_PODS:
                self._watching.last = at, line
            else:
                self._watching.apply(Pointer(*at), line)
        except NotAnInstantError:
            self._scan.odd.append(at)

    def _commit(self, record: Skimmed | Opening, offset: int, line: bytes) -> None:
        scan, watching = self._scan, self._watching
        watching.catch_up()
        reached = Mark(
            seq=record.seq,
            digest=digest_of(line),
            offset=offset,
            end=offset + len(line),
            boot_id=scan.boot_id,
            clock_ns=scan.clock_ns,
            recent=pack(number for at in watching.recent for number in at),
            host=scan.host,
        )
        with self._database:
            self._store.save(scan, watching, reached)
        self.reached = reached


@contextlib.contextmanager
def uncollected() -> Generator[None]:
    """Build without looking for cycles of garbage: the rows of what is removed make none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
