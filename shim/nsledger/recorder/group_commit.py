"""Batches of events into the ledger, synced together, and tried again after a failure.

No thread and no clock of its own: `Recorder` calls it on the writer's thread and says what time it
is, and gives what waits for the disk to another. Tickets are finished here.
"""

from __future__ import annotations

import contextlib
import errno
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from nsledger.ledger.errors import SyncBehindError
from nsledger.ledger.line import GENESIS, MAX_RECORD_BYTES, Head
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import Event, LedgerCreated, LedgerRecovered, SegmentAltered, Source
from nsledger.model.record import Moment, encode
from nsledger.recorder.disk_gate import (
    UNLIMITED,
    DiskFullError,
    DiskGate,
    WriterLimits,
    is_out_of_room,
)
from nsledger.recorder.journal import LeftBehind
from nsledger.recorder.previous_session import unclean_stop
from nsledger.recorder.rotation import NEVER, Rotation
from nsledger.recorder.syncer import Syncing, at_once
from nsledger.recorder.ticket import RecordLostError, Ticket
from nsledger.state.coverage import discontinuity

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
        run_sync: Callable[[Callable[[], None]], None] = at_once,
        on_sync_over: Callable[[], None] = lambda: None,
        limits: WriterLimits = UNLIMITED,
        find_left_behind: Callable[[], LeftBehind] = LeftBehind,
    ) -> None:
        """Nothing is opened yet.

        Args:
            open_ledger: Called by `write`, again until it succeeds.
            now: The moment of records about the ledger itself.
            new_ledger_id: For a ledger that is new.
            sync_interval_s: How long a record may be unsynced.
            last_moment: Of the newest record in the opened ledger.
            run_sync: Takes what waits for the disk, to be run wherever there is time.
            on_sync_over: Called after that, on the same thread: `write` takes note of it.
            limits: What the ledger may take of its disk.
            find_left_behind: What is to come first into the ledger that was opened.
        """
        self.appended = 0
        self.synced = 0
        self.failures: Counter[str] = Counter()
        self.failing: Exception | None = None
        self.opened_head: Head | None = None
        """Where the ledger ended when it was opened; None before."""
        self.synced_head: Head = GENESIS
        """The newest entry that this writer knows to survive a power cut."""

        self._open_ledger = open_ledger
        self._now = now
        self._new_ledger_id = new_ledger_id
        self._sync_interval_s = sync_interval_s
        self._last_moment = last_moment
        self._find_left_behind = find_left_behind
        self._moment: Moment | None = None
        """Of the record that was taken in last."""
        self._ledger: LedgerWriter | None = None
        self._waiting: list[tuple[Ticket, bytes]] = []
        self._to_sync: list[Ticket] = []
        self._sync_due_s = NEVER
        self._run_sync = run_sync
        self._on_sync_over = on_sync_over
        self._syncing: Syncing | None = None
        self._written: list[Ticket] = []
        self._retry_s = _FIRST_RETRY_S
        self._retry_at_s = 0.0
        self._gate = DiskGate(limits.room, now)
        self._rotation = Rotation(limits.rotation)

    @property
    def retry_at_s(self) -> float:
        """Not to be tried again before, unless what makes room can be written or was synced."""
        synced = self._syncing.tickets if self._syncing and self._syncing.over.is_set() else []
        urgent = any(
            ticket.urgent for ticket in [*synced, *(ticket for ticket, _ in self._waiting)]
        )
        return 0.0 if urgent else self._retry_at_s

    @property
    def sync_at_s(self) -> float:
        """When what is unsynced must be synced, or nothing more is held back for that.

        Never as long as the disk is busy with it.
        """
        return self._rotation.held_until_s if self.syncing else self._sync_due_s

    @property
    def gate(self) -> DiskGate:
        """How much room there is."""
        return self._gate

    @property
    def holds_ledger(self) -> bool:
        """Whether the ledger is open, and nobody else's."""
        return self._ledger is not None

    @property
    def syncing(self) -> bool:
        """Whether the disk is busy with a sync, of which `write` has not taken note."""
        return self._syncing is not None

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
            record = ticket.encoded or encode(ticket.event, ticket.at)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RecordLostError(reason="unencodable", event=ticket.event) from error
        if len(record) > MAX_RECORD_BYTES:
            raise RecordLostError(reason="oversized", event=ticket.event)
        if self.failing is not None and not ticket.urgent:
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
        self._written = []
        try:
            ledger = self._ledger = self._ledger or self._open(time_s)
            self._end_sync(ledger)
            self._look_around(ledger, time_s)
            while self._waiting and (sync or not self._closing_segment(ledger, time_s)):
                self._append(ledger, self._waiting[:_BATCH], time_s)
            if self._syncing is None and (
                self._sync_due_s <= time_s or (sync and self.synced < self.appended)
            ):
                self._begin_sync(ledger)
                self._end_sync(ledger)
        except Exception as error:  # noqa: BLE001 - a writer that dies loses in silence
            self._leave_last_words(error, time_s)
            self._hold(error, time_s)
        else:
            self.failing = None
            self._retry_s = _FIRST_RETRY_S
        return self._written

    def give_back(self, patience_s: float = 0.0) -> list[Ticket]:
        """Close the ledger for another process to open; return what is not written.

        Args:
            patience_s: How long to wait for a sync that is under way. The next process syncs what
                it appends, and with it what is unsynced here.
        """
        if self._syncing is not None and self._ledger is not None:
            self._syncing.over.wait(patience_s)
            with contextlib.suppress(OSError):
                self._end_sync(self._ledger)
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
        syncing = self._syncing.tickets if self._syncing is not None else []
        for ticket in [*(ticket for ticket, _ in self._waiting), *syncing, *self._to_sync]:
            ticket.finish(RecordLostError(reason="closed", event=ticket.event))
        if self._ledger is not None:
            self._ledger.close()

    def _open(self, time_s: float) -> LedgerWriter:
        ledger = self._open_ledger()
        try:
            self.opened_head = ledger.head
            last = self._last_moment()
            left = self._find_left_behind()
            about: list[Event] = [
                LedgerRecovered(
                    source=Source.DAEMON,
                    torn_bytes=torn.torn_bytes,
                    kept_as=torn.kept_as,
                    from_seq=torn.at_seq,
                    through_seq=torn.through_seq,
                )
                for torn in ledger.recoveries
            ]
            if ledger.head.seq == 0:
                # Whatever else has to be said, this comes first.
                ledger_id = self._new_ledger_id()
                self._tell(ledger, LedgerCreated(source=Source.DAEMON, ledger_id=ledger_id), time_s)
            elif (gap := unclean_stop(ledger.directory, self._now())) is not None:
                about.append(gap)
            self._rotation.opened(ledger.segment_path, time_s, self._now().time_ns)
        except BaseException:
            with contextlib.suppress(OSError):  # the caller hears of the first failure
                ledger.close()
            raise
        newest, self._moment = self._moment, last
        self._put_first(about, left)
        self._moment = newest or self._moment
        return ledger

    def _put_first(self, events: Iterable[Event], left: LeftBehind | None = None) -> None:
        """Have the ledger tell these before anything that waits, and before them what was left."""
        before, self._waiting = self._waiting, []
        if left is not None:
            for ticket in left.tickets(self._now()):
                self.take_in(ticket)
        self._note_time(self._now())
        for event in events:
            self.take_in(Ticket(event, self._now()))
        self._waiting += before

    def _note_time(self, at: Moment) -> None:
        """Before a record of the moment `at`: if time did not just go on, one that says so."""
        event = None if self._moment is None else discontinuity(self._moment, at)
        self._moment = at
        if event is not None:
            self._waiting.append((Ticket(event, at), encode(event, at)))

    def _look_around(self, ledger: LedgerWriter, time_s: float) -> None:
        """See to what others do to the ledger's file and to its disk."""
        ledger.keep_in_place()
        if alterations := ledger.take_alterations():
            self._put_first(
                SegmentAltered(
                    source=Source.DAEMON,
                    alteration=altered.alteration,
                    segment=altered.segment,
                    at_seq=altered.at_seq,
                    kept_as=altered.kept_as,
                )
                for altered in alterations
            )
        self._gate.look(ledger.directory, partial(self._tell, ledger, time_s=time_s))
        if not self._waiting:
            self._closing_segment(ledger, time_s)

    def _closing_segment(self, ledger: LedgerWriter, time_s: float) -> bool:
        """Whether to wait with the next entry, since the segment is about to be closed.

        It is closed when all of it is synced. For that, appending pauses for a moment; a disk that
        takes longer gets its new segment another time.
        """
        if not self._rotation.due(ledger.segment_bytes, time_s, self._gate.stage):
            return False
        try:
            if ledger.unsynced_bytes:
                self._begin_sync(ledger)
                self._end_sync(ledger)
            if ledger.unsynced_bytes:
                return self._rotation.hold(time_s)
            ledger.rotate()
        except (OSError, SyncBehindError) as error:
            self.failures[f"rotate {word_for(error)}"] += 1
            self._rotation.failed(time_s)
        else:
            self._rotation.begun(time_s)
        return False

    def _leave_last_words(self, error: Exception, time_s: float) -> None:
        """On a full disk: say that it is, and what cannot wait, as far as there is room."""
        if self._ledger is None or not (isinstance(error, DiskFullError) or is_out_of_room(error)):
            return
        try:
            self._gate.stop(partial(self._tell, self._ledger, time_s=time_s))
            self._waiting.sort(key=lambda waiting: not waiting[0].urgent)
            urgent = [waiting for waiting in self._waiting if waiting[0].urgent]
            if urgent:
                self._append(self._ledger, urgent, time_s)
            self._begin_sync(self._ledger)
            self._end_sync(self._ledger)
            # What is closed can be compressed and removed, and nothing else waits for its sync.
            self._closing_segment(self._ledger, time_s)
        except OSError as worse:
            self.failures[word_for(worse)] += 1

    def _tell(self, ledger: LedgerWriter, event: Event, time_s: float) -> None:
        """Append one event about the ledger itself before all that waits."""
        ticket = Ticket(event, self._now())
        self._waiting.insert(0, (ticket, encode(event, ticket.at)))
        try:
            self._append(ledger, self._waiting[:1], time_s)
        except BaseException:
            del self._waiting[0]
            raise

    def _append(
        self, ledger: LedgerWriter, batch: list[tuple[Ticket, bytes]], time_s: float
    ) -> None:
        """Append what stands first in `_waiting`."""
        first_seq = ledger.head.seq + 1
        ledger.append([record for _, record in batch])
        del self._waiting[: len(batch)]
        self.appended += len(batch)
        self._sync_due_s = min(self._sync_due_s, time_s + self._sync_interval_s)
        for seq, (ticket, _) in enumerate(batch, start=first_seq):
            ticket.seq = seq
            self._written.append(ticket)
            if ticket.sync:
                self._to_sync.append(ticket)
                self._sync_due_s = time_s
            else:
                ticket.finish(None)

    def _begin_sync(self, ledger: LedgerWriter) -> None:
        pending = ledger.begin_sync() if self._syncing is None else None
        if pending is None:
            return
        syncing = Syncing(pending, self.appended, self._to_sync)
        self._syncing, self._to_sync, self._sync_due_s = syncing, [], NEVER

        def run() -> None:
            try:
                pending.run()
            except OSError as error:
                syncing.error = error
            syncing.over.set()
            self._on_sync_over()

        self._run_sync(run)

    def _end_sync(self, ledger: LedgerWriter) -> None:
        """Take note of a sync that is over.

        Raises:
            OSError: it failed.
        """
        syncing = self._syncing
        if syncing is None or not syncing.over.is_set():
            return
        self._syncing = None
        ledger.end_sync(succeeded=syncing.error is None)
        if syncing.error is not None:
            self._to_sync = syncing.tickets + self._to_sync
            self._sync_due_s = 0.0
            raise syncing.error
        self.synced = syncing.appended
        self.synced_head = syncing.pending.head
        for ticket in syncing.tickets:
            ticket.finish(None)

    def _hold(self, error: Exception, time_s: float) -> None:
        """Keep what can be tried again, tell who waits, and come back later."""
        self.failing = error
        self.failures[word_for(error)] += 1
        self._retry_at_s = time_s + self._retry_s
        self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)
        written = [ticket for ticket in self._to_sync if ticket.urgent]
        for ticket in [*(ticket for ticket, _ in self._waiting), *self._to_sync]:
            if ticket not in written:
                ticket.finish(error)
        self._waiting = [(ticket, record) for ticket, record in self._waiting if ticket.retry]
        self._to_sync = written


def word_for(error: Exception) -> str:
    """The errno name of an `OSError`, else the class: a word to count by."""
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__
