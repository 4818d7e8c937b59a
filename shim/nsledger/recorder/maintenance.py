"""What is done to closed segments: compressed, and removed when they are too old or too many.

A thread of its own, at a low priority, so that no record waits for it. It works only while this
process has the ledger, and alone, by the lock on the directory: a process that handed the ledger
over may still be at it. Before anything is removed, the ledger says so.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from nsledger.ledger import compression, files
from nsledger.ledger.disk_room import free_bytes
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.layout import Pruned, remove_pruned, save
from nsledger.model.events import DiskStage, LedgerPruned, PruneRule
from nsledger.model.record import Moment, rfc3339
from nsledger.recorder import retention
from nsledger.recorder.clock_trust import ClockTrust
from nsledger.recorder.group_commit import word_for
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.retention import RetentionLimits

log = structlog.get_logger(__name__)

_NICE: Final = 10
_PATIENCE_S: Final = 10.0
"""For the record of a removal; without it nothing is removed this time."""
_COVER_S: Final = 5.0
"""How long a removal waits for the checkpoint that covers its record."""


class Maintenance:
    """Goes round every `interval_s`."""

    def __init__(
        self,
        recorder: Recorder,
        directory: str,
        *,
        limits: RetentionLimits,
        prune_bytes: int,
        now: Callable[[], Moment],
        cover: Callable[[int, float], bool] = lambda _seq, _timeout_s: True,
        interval_s: float = 5.0,
        clock_trust: ClockTrust | None = None,
    ) -> None:
        """Nothing is begun yet.

        Args:
            recorder: Has the ledger, and writes what is removed from it.
            directory: The ledger's.
            limits: What is kept.
            prune_bytes: How much room the disk is to have as long as segments can make it.
            now: The moment.
            cover: Has an entry signed, within so many seconds, before what it tells is done.
            interval_s: Between two rounds.
            clock_trust: Whether the wall clock may remove anything; None makes one.
        """
        self.failures: Counter[str] = Counter()
        """Failed attempts, by errno name or class of the error."""
        self._recorder = recorder
        self._directory = directory
        self._limits = limits
        self._prune_bytes = prune_bytes
        self._now = now
        self._cover = cover
        self._interval_s = interval_s
        self._clock_trust = clock_trust or ClockTrust()
        self._no_age_before_ns = 0
        """Monotonic: nothing goes for its age until then."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End, in the middle of a segment if need be. To be called before the recorder's end."""
        self._ending.set()
        self._thread.join(timeout_s)

    def go_round(self) -> None:
        """Do what is to be done now.

        Raises:
            LedgerError: the ledger is not what it should be.
            OSError: the disk refuses; all segments are there, plain or compressed.
        """
        self._recorder.wake()
        if not self._recorder.holds_ledger:
            return
        with contextlib.ExitStack() as held:
            try:
                held.callback(os.close, files.lock_directory(self._directory))
            except BlockingIOError:
                return
            compression.clear_unfinished(self._directory)
            remove_pruned(self._directory)
            for name in compression.closed_segments(self._directory):
                if not compression.compress(self._directory, name, called_off=self._called_off):
                    return
            self._prune()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not self._ending.is_set():
            try:
                self.go_round()
            except (LedgerError, OSError) as error:
                self.failures[word_for(error)] += 1
                log.warning("maintenance.failed", error=word_for(error))
            self._ending.wait(self._interval_s)

    def _called_off(self) -> bool:
        return self._ending.is_set() or not self._recorder.holds_ledger

    def _prune(self) -> None:
        segments = retention.found(self._directory)
        now = self._now()
        trusted = self._clock_trust.look(now) and now.mono_ns >= self._no_age_before_ns
        chosen = retention.choose(
            segments,
            self._limits if trusted else replace(self._limits, max_age_s=0),
            now_ns=now.time_ns,
            needed_bytes=self._missing_bytes(),
        )
        if chosen is None:
            return
        event = retention.removal(self._directory, segments, *chosen)
        at = self._now()
        ticket = self._recorder.record(event, at=at, sync=True, urgent=True)
        if ticket.wait(_PATIENCE_S) and ticket.error is None:
            if event.rule is PruneRule.MAX_AGE:
                span_ns = int(retention.age_span_s(segments) * 1e9)
                self._no_age_before_ns = at.mono_ns + span_ns
            # Who verifies with checkpoints believes no removal that none of them covers. A disk
            # that is full has to have its room all the same.
            if not self._cover(ticket.seq or 0, _COVER_S):
                log.warning("checkpoint.behind", through_seq=ticket.seq)
            save(self._directory, _repeated(event, at))
            remove_pruned(self._directory)
            log.info(
                "ledger.pruned",
                rule=event.rule,
                through_seq=event.through_seq,
                size_bytes=event.size_bytes,
            )

    def _missing_bytes(self) -> int:
        if self._recorder.disk_stage in {DiskStage.OK, DiskStage.WARN}:
            return 0
        return max(0, self._prune_bytes - free_bytes(self._directory))


def _repeated(event: LedgerPruned, at: Moment) -> Pruned:
    """What the readers find; the record is the truth."""
    return Pruned(
        first_seq=event.through_seq + 1,
        prev=event.digest,
        from_seq=event.from_seq,
        time=rfc3339(at.time_ns),
        rule=event.rule,
        ledger_id=event.ledger_id,
    )
