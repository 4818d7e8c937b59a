"""Batches of events into the ledger, synced together, and tried again after a failure.

No thread and no clock of its own: `Recorder` calls it on the writer's thread and says what time it
is. Tickets are finished here.
"""

from __future__ import annotations

import contextlib
import errno
from collections import Counter
from collections.abc import Callable
from typing import Final

from nsledger.domain.events import Event, LedgerCreated, LedgerRecovered, Source
from nsledger.domain.record import Moment, encode
from nsledger.domain.timeline import discontinuity
from nsledger.ledger.chain import GENESIS, MAX_RECORD_BYTES, Head
from nsledger.ledger.writer import LedgerWriter
from nsledger.recorder.ticket import RecordLostError, Ticket

NEVER: Final = float("inf")
_BATCH: Final = 512
"""Records in one write: bounds how long the first waits for the last."""
_FIRST_RETRY_S: Final = 0.05
_LONGEST_RETRY_S: Final = 5.0


class GroupCommit:
    """The ledger, what waits to get into it, and what in it is not synced yet."""

    def __init__(
        self,
        open_ledger: Callable[[], LedgerWriter],
        *,
        now: Callable[[], Moment],
        new_ledger_id: Callable[[], str],
        sync_interval_s: float,
        last_moment: Callable[[], Moment | None] = lambda: None,
    ) -> None:
        self.appended = 0
        self.synced = 0
        self.failures: Counter[str] = Counter()
        self.failing: Exception | None = None
        self.retry_at_s = 0.0
        """Not to be tried again before."""
        self.sync_at_s = NEVER
        """When what is unsynced must be synced."""
        self.synced_head: Head = GENESIS
        """The newest entry that this writer knows to survive a power cut."""

        self._open_ledger = open_ledger
        self._now = now
        self._new_ledger_id = new_ledger_id
        self._sync_interval_s = sync_interval_s
        self._last_moment = last_moment
        self._moment: Moment | None = None
        """Of the record that was taken in last."""
        self._ledger: LedgerWriter | None = None
        self._waiting: list[tuple[Ticket, bytes]] = []
        self._to_sync: list[Ticket] = []
        self._retry_s = _FIRST_RETRY_S

    @property
    def waiting(self) -> int:
        """Events that are not in the ledger yet."""
        return len(self._waiting)

    def take_in(self, ticket: Ticket) -> None:
        """Have the ticket's event written by the next `write`.

        While the ledger cannot be written its ticket is finished with the reason.

        Raises:
            RecordLostError: it is no event that a ledger can hold.
        """
        try:
            record = encode(ticket.event, ticket.at)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RecordLostError(reason="unencodable", event=ticket.event) from error
        if len(record) > MAX_RECORD_BYTES:
            raise RecordLostError(reason="oversized", event=ticket.event)
        if self.failing is not None:
            ticket.finish(self.failing)
            if not ticket.retry:
                return
        self._note_time(ticket.at)
        self._waiting.append((ticket, record))

    def write(self, time_s: float, *, sync: bool = False) -> list[Ticket]:
        """Append everything that waits, and sync what is due; the tickets with an entry by now.

        After a failure, which `failing` tells, the rest stays, unless its tickets say otherwise;
        everyone who waits for one is told.

        Args:
            time_s: Now, by the clock of `retry_at_s` and `sync_at_s`.
            sync: Whether to sync also what could wait.
        """
        written: list[Ticket] = []
        try:
            ledger = self._ledger = self._ledger or self._open()
            while self._waiting:
                written += self._append(ledger, self._waiting[:_BATCH], time_s)
            if self.sync_at_s <= time_s or (sync and self.synced < self.appended):
                self._sync(ledger)
        except Exception as error:  # noqa: BLE001 - a writer that dies loses in silence
            self._hold(error, time_s)
        else:
            self.failing = None
            self._retry_s = _FIRST_RETRY_S
        return written

    def give_back(self) -> list[Ticket]:
        """Close the ledger for another process to open; return what is not written.

        Best after a `write` that synced: whether the last entries would survive a power cut is not
        told here, and nobody could do anything about it.
        """
        left = [ticket for ticket, _ in self._waiting]
        self._waiting = []
        with contextlib.suppress(OSError):
            self.close()
        return left

    def close(self) -> None:
        """Give the ledger back; what still waits will not be written.

        Raises:
            OSError: the last entries may not survive a power cut.
        """
        for ticket in [*(ticket for ticket, _ in self._waiting), *self._to_sync]:
            ticket.finish(RecordLostError(reason="closed", event=ticket.event))
        if self._ledger is not None:
            self._ledger.close()

    def _open(self) -> LedgerWriter:
        ledger = self._open_ledger()
        try:
            last = self._last_moment()
        except BaseException:
            ledger.close()
            raise
        about: list[Event] = []
        if ledger.head.seq == 0:
            about.append(LedgerCreated(source=Source.DAEMON, ledger_id=self._new_ledger_id()))
        about += [
            LedgerRecovered(source=Source.DAEMON, torn_bytes=torn.torn_bytes, kept_as=torn.kept_as)
            for torn in ledger.recoveries
        ]
        before, self._waiting = self._waiting, []
        newest, self._moment = self._moment, last
        self._note_time(self._now())
        for event in about:
            self.take_in(Ticket(event, self._now()))
        self._waiting += before
        self._moment = newest or self._moment
        return ledger

    def _note_time(self, at: Moment) -> None:
        """Before a record of the moment `at`: if time did not just go on, one that says so."""
        event = None if self._moment is None else discontinuity(self._moment, at)
        self._moment = at
        if event is not None:
            self._waiting.append((Ticket(event, at), encode(event, at)))

    def _append(
        self, ledger: LedgerWriter, batch: list[tuple[Ticket, bytes]], time_s: float
    ) -> list[Ticket]:
        first_seq = ledger.head.seq + 1
        ledger.append([record for _, record in batch])
        del self._waiting[: len(batch)]
        self.appended += len(batch)
        self.sync_at_s = min(self.sync_at_s, time_s + self._sync_interval_s)
        tickets = [ticket for ticket, _ in batch]
        for seq, ticket in enumerate(tickets, start=first_seq):
            ticket.seq = seq
            if ticket.sync:
                self._to_sync.append(ticket)
                self.sync_at_s = time_s
            else:
                ticket.finish(None)
        return tickets

    def _sync(self, ledger: LedgerWriter) -> None:
        ledger.sync()
        self.synced = self.appended
        self.synced_head = ledger.head
        self.sync_at_s = NEVER
        done, self._to_sync = self._to_sync, []
        for ticket in done:
            ticket.finish(None)

    def _hold(self, error: Exception, time_s: float) -> None:
        """Keep what can be tried again, tell who waits, and come back later."""
        self.failing = error
        self.failures[word_for(error)] += 1
        self.retry_at_s = time_s + self._retry_s
        self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)
        for ticket in [*(ticket for ticket, _ in self._waiting), *self._to_sync]:
            ticket.finish(error)
        self._waiting = [(ticket, record) for ticket, record in self._waiting if ticket.retry]
        self._to_sync = []


def word_for(error: Exception) -> str:
    """The errno name of an `OSError`, else the class: a word to count by."""
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__
