"""The one writer thread: events go in from any thread, records come out in the ledger.

It may never block a caller, fail one, or lose an event in silence. A batch is whatever came in
while the last one was written; it is appended with one write and synced within `sync_interval_s`,
at once for an event that asks for it. While the ledger cannot be written, events wait here, up to
`queue_limit`; past that they are counted, and a `gap` says so as soon as writing works again.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from nsledger.ledger.line import Head
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import DISK_FULL, DiskStage, Event
from nsledger.model.record import Moment, encode
from nsledger.recorder.disk_gate import UNLIMITED, DiskFullError, WriterLimits, is_out_of_room
from nsledger.recorder.forwarding import Forwarding, Successor
from nsledger.recorder.gaps import GapTally
from nsledger.recorder.group_commit import GroupCommit, word_for
from nsledger.recorder.journal import LeftBehind, WriteAhead
from nsledger.recorder.rotation import NEVER
from nsledger.recorder.syncer import Syncer
from nsledger.recorder.ticket import RecordLostError, Ticket, run_foreign

log = structlog.get_logger(__name__)

_GATHER_S: Final = 0.05
"""How long records that are kept ahead gather: nobody waits for them, and each time this thread
wakes up it takes the interpreter from the relay's."""

_GAP_INTERVAL_S: Final = 1.0
"""At most one gap record per reason in this time: a storm of gaps is not to fill the disk."""

_ENDING_S: Final = 0.5
"""What the thread may take to end once it gave up; more means that the disk hangs."""

_LAST_SYNC_S: Final = 1.0
"""How long a hand-over waits for a disk that syncs."""

Listener = Callable[[int, Moment, Event], None]


class Recorder:
    """Owns the ledger from `start` to `close`. Every method may be called from any thread."""

    def __init__(
        self,
        open_ledger: Callable[[], LedgerWriter],
        *,
        now: Callable[[], Moment],
        new_ledger_id: Callable[[], str],
        queue_limit: int = 8192,
        sync_interval_s: float = 0.05,
        last_moment: Callable[[], Moment | None] = lambda: None,
        limits: WriterLimits = UNLIMITED,
        find_left_behind: Callable[[], LeftBehind] = LeftBehind,
        ahead: WriteAhead | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            open_ledger: Called on the recorder's thread, again until it succeeds.
            now: The moment of records about the ledger itself.
            new_ledger_id: 32 random hexadecimal digits, for a ledger that is new.
            queue_limit: How many events may wait.
            sync_interval_s: How long a record may be unsynced.
            last_moment: Of the newest record in the opened ledger, on the recorder's thread; a
                reboot or a step of the clock since then becomes a record.
            limits: What the ledger may take of its disk.
            find_left_behind: What earlier processes kept ahead, once the ledger is opened.
            ahead: Where `record_ahead` keeps records; closed with the recorder.
        """
        self._ahead = ahead
        self._syncer = Syncer()
        self._own_ledger = partial(
            GroupCommit,
            open_ledger,
            now=now,
            new_ledger_id=new_ledger_id,
            sync_interval_s=sync_interval_s,
            last_moment=last_moment,
            run_sync=self._syncer.put,
            on_sync_over=lambda: self._queue.put(None),
            limits=limits,
            find_left_behind=find_left_behind,
        )
        self._commit: GroupCommit | Forwarding = self._own_ledger()
        self._successor: Successor | None = None
        self._farewell: Event | None = None
        self._now = now
        self._gaps = GapTally(now)
        self._gaps_at_s = 0.0
        self._queue: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        """None only wakes the thread."""
        self._queue_limit = queue_limit
        self._listeners: list[Listener] = []
        self._sync_listeners: list[Callable[[Head], None]] = []
        self._dropped = 0
        self._lock = threading.Lock()
        """Of `_closed` and `_dropped`, and of the order of the queue against them."""
        self._closed = False
        self._give_up_at_s = NEVER
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    @property
    def appended(self) -> int:
        """Records in the ledger since the start; moves only after the write succeeded."""
        return self._commit.appended

    @property
    def synced(self) -> int:
        """Those of them that survive a power cut."""
        return self._commit.synced

    @property
    def dropped(self) -> int:
        """Events that were lost since the start; gaps have them too."""
        return self._dropped

    @property
    def failures(self) -> Counter[str]:
        """Failed attempts to write, by errno name or class of the error."""
        return self._commit.failures

    @property
    def gaps(self) -> Counter[str]:
        """How much was missed since the start, by reason, whether its gap is written yet or not."""
        return self._gaps.totals

    @property
    def failing(self) -> Exception | None:
        """Why the ledger cannot be written just now."""
        return self._commit.failing

    @property
    def disk_full(self) -> bool:
        """Whether it cannot because there is no room."""
        error = self._commit.failing
        return isinstance(error, DiskFullError) or (error is not None and is_out_of_room(error))

    @property
    def disk_stage(self) -> DiskStage:
        """How full the ledger's disk is; OK as long as another process has the ledger."""
        commit = self._commit
        return commit.gate.stage if isinstance(commit, GroupCommit) else DiskStage.OK

    @property
    def holds_ledger(self) -> bool:
        """Whether the ledger is open here, and thus nobody else's."""
        return isinstance(self._commit, GroupCommit) and self._commit.holds_ledger

    @property
    def opened_head(self) -> Head | None:
        """Where the ledger ended when it was opened here; None before."""
        return self._commit.opened_head if isinstance(self._commit, GroupCommit) else None

    @property
    def queue_depth(self) -> int:
        """Events that are not in the ledger yet."""
        return self._queue.qsize() + self._commit.waiting

    def start(self) -> None:
        """Open the ledger and begin to write, both on the recorder's own thread."""
        self._syncer.start()
        self._thread.start()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with seq, moment and event of each entry once it is in the ledger.

        In their order, on the writer's thread: what takes time there delays later records.
        """
        self._listeners.append(listener)

    def on_synced(self, listener: Callable[[Head], None]) -> None:
        """Call `listener` with the ledger's head whenever all of it survives a power cut.

        On the writer's thread: what takes time there delays later records.
        """
        self._sync_listeners.append(listener)

    def record(
        self,
        event: Event,
        *,
        at: Moment,
        sync: bool = False,
        retry: bool = True,
        urgent: bool = False,
    ) -> Ticket:
        """Have `event` written; returns at once. The ledger's order is the order of these calls.

        Args:
            event: What happened.
            at: When it did.
            sync: Sync it at once; the ticket is done when it is synced.
            retry: Keep it if it cannot be written now. False is for a caller who has another copy
                and comes again; such an event is never counted as lost.
            urgent: Write it even while the disk counts as full, or never. For what makes room.
        """
        ticket = Ticket(event, at, sync=sync, retry=retry, urgent=urgent)
        with self._lock:
            if self._closed:
                reason = "closed"
            elif self.queue_depth >= self._queue_limit:
                reason = DISK_FULL if self.disk_full else "queue_full"
            else:
                self._queue.put(ticket)
                return ticket
        self._lose(ticket, RecordLostError(reason=reason, event=event))
        return ticket

    def record_ahead(self, event: Event, *, at: Moment) -> bool:
        """Keep `event` where it outlives this process, and have it written; returns at once.

        False if it cannot be kept, and nothing was done: it is for `record` then, and to be waited
        for.
        """
        ahead = self._ahead
        if ahead is None or not self.holds_ledger:
            return False
        try:
            encoded = encode(event, at)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return False
        ticket = Ticket(event, at, encoded=encoded)
        with self._lock:
            if self._closed or self.queue_depth >= self._queue_limit or not ahead.put(encoded):
                return False
            self._queue.put(ticket)
        return True

    def gap(self, reason: str, count: int = 1, detail: str = "") -> None:
        """Have it written that `count` things are missing because of `reason`, a word or two.

        Gaps of one reason are added up until they are written; the last `detail` stays.
        """
        if self._gaps.add(reason, count, detail):
            self._queue.put(None)

    def wake(self) -> None:
        """Have the ledger's file and its disk looked at, even if nothing is to be written."""
        self._queue.put(None)

    def hand_over(self, successor: Successor, farewell: Event) -> None:
        """Let the ledger go to `successor`, and pass on to it what is recorded from now on.

        What was recorded before is written first, and `farewell` last, then all is synced. If the
        successor is lost, the ledger is opened again.
        """
        self._farewell = farewell
        self._successor = successor
        self._queue.put(None)

    def close(self, timeout_s: float) -> int:
        """Write and sync what is there, close the ledger, and end; how much is not written.

        Tries for `timeout_s` at most; 0 is a clean end.
        """
        with self._lock:
            self._closed = True
            self._give_up_at_s = time.monotonic() + timeout_s
        self._queue.put(None)
        self._thread.join(timeout_s + _ENDING_S)
        return self._queue.qsize() + self._commit.waiting + self._gaps.pending

    def _lose(self, ticket: Ticket, error: RecordLostError) -> None:
        """Give an event up: counted and in a gap, unless its caller has a copy."""
        if ticket.retry:
            with self._lock:
                self._dropped += 1
            self.gap(error.reason, detail=error.event_name)
        ticket.finish(error)

    def _run(self) -> None:
        while not self._ended():
            self._collect()
            self._change_hands()
            now_s = time.monotonic()
            if self._commit.failing is None or now_s >= self._commit.retry_at_s:
                self._write(now_s)
        self._take_in_all()
        left = self._commit.waiting
        try:
            self._commit.close()
        except OSError as error:
            log.error("ledger.close_failed", error=word_for(error))  # noqa: TRY400 - see ticket.py
        if self._ahead is not None:
            self._ahead.close(all_settled=not left)
        self._syncer.close()

    def _change_hands(self) -> None:
        """Give the ledger up if that was asked for; take it back if its new owner is lost."""
        before, successor = self._commit, self._successor
        if isinstance(before, Forwarding):
            if before.failing is None:
                return
            log.error("ledger.successor_lost", error=word_for(before.failing))
            self._successor = None
            left = before.give_back()
            self._commit = self._own_ledger()
            self._commit.appended = self._commit.synced = before.appended
        else:
            if successor is None:
                return
            self._take_in_all()
            self._write(time.monotonic())
            if self._farewell is not None:
                self._take_in(Ticket(self._farewell, self._now()))
            self._write(time.monotonic(), sync=True)
            left = before.give_back(_LAST_SYNC_S)
            self._commit = Forwarding(
                successor,
                appended=before.appended,
                failures=before.failures,
                synced_head=before.synced_head,
            )
            self._commit.let_go()
        for ticket in left:
            self._take_in(ticket)

    def _ended(self) -> bool:
        if not self._closed:
            return False
        if time.monotonic() >= self._give_up_at_s:
            return True
        return not self.queue_depth and not self._gaps.pending and self.synced == self.appended

    def _collect(self) -> None:
        """Wait until something is to be done, and take in what came."""
        if self._commit.failing is not None:
            until_s = min(self._commit.retry_at_s, self._give_up_at_s)
        elif self._closed:
            until_s = self._give_up_at_s if self._commit.syncing else 0.0
        elif self._gaps.pending:
            until_s = min(self._commit.sync_at_s, self._gaps_at_s)
        else:
            until_s = self._commit.sync_at_s
        timeout_s = None if until_s == NEVER else max(0.0, until_s - time.monotonic())
        try:
            first = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return
        if first is not None and first.encoded is not None and not self._closed:
            time.sleep(_GATHER_S)
        self._take_in(first)
        self._take_in_all()

    def _take_in_all(self) -> None:
        for _ in range(self._queue.qsize()):
            self._take_in(self._queue.get_nowait())

    def _take_in(self, ticket: Ticket | None) -> None:
        if ticket is None:
            return
        try:
            self._commit.take_in(ticket)
        except RecordLostError as error:
            self._lose(ticket, error)

    def _write(self, now_s: float, *, sync: bool = False) -> None:
        failing, synced_head = self._commit.failing, self._commit.synced_head
        written = self._commit.write(now_s, sync=sync or self._closed)
        if self._commit.failing is None and self._gaps.pending and self._gaps_due(now_s):
            for gap in self._gaps.take():
                self._take_in(Ticket(gap, self._now()))
            written += self._commit.write(now_s, sync=sync or self._closed)
        if self._ahead is not None:
            self._ahead.settle(sum(ticket.encoded is not None for ticket in written))
        for listener in self._listeners:
            for ticket in written:
                if ticket.seq is not None:
                    run_foreign(partial(listener, ticket.seq, ticket.at, ticket.event))
        if self._commit.synced_head is not synced_head:
            for on_synced in self._sync_listeners:
                run_foreign(partial(on_synced, self._commit.synced_head))
        if failing is None and self._commit.failing is not None:
            log.error("ledger.write_failed", error=word_for(self._commit.failing))
        elif failing is not None and self._commit.failing is None:
            log.info("ledger.write_resumed", after=word_for(failing))

    def _gaps_due(self, now_s: float) -> bool:
        if now_s < self._gaps_at_s and not self._closed:
            return False
        self._gaps_at_s = now_s + _GAP_INTERVAL_S
        return True
