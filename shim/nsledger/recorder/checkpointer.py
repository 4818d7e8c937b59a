"""Signs where the ledger stands, every so many records and every so often: a thread of its own.

Only what is synced is signed: a checkpoint of an entry that a power cut then takes would convict an
honest ledger. The writer's thread hands over a head and goes on; whatever fails here is logged and
comes again, and delays no record.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from nsledger.errors import NsledgerError
from nsledger.ledger import checkpoint_file, place
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import SigningKey
from nsledger.ledger.line import GENESIS, Head
from nsledger.ledger.reader import entries, ledger_id
from nsledger.model.events import LedgerUnattested, Source
from nsledger.model.record import Moment, rfc3339
from nsledger.recorder.recorder import Recorder

log = structlog.get_logger(__name__)
notary = structlog.wrap_logger(
    None,
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory_args=(__name__,),
)
"""Whatever `log_level` is: a checkpoint in the journal is worth as much as one in the file."""


_LOOKED_AT: Final = 64
"""The newest checkpoints of the file that are held against the ledger at the start."""
_PATIENCE_S: Final = 10.0
"""How long a record may take to be on the disk."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a new checkpoint is due."""

    every_records: int
    every_s: float
    least_s: float = 1.0
    """Between two: records may come in storms."""


class Checkpointer:
    """Writes checkpoints of one ledger from `start` to `close`."""

    def __init__(
        self,
        *,
        ledger: str,
        key: str,
        file: str,
        schedule: Schedule,
        now: Callable[[], Moment],
        recorder: Recorder,
        attest: bool = True,
    ) -> None:
        """Nothing is read yet.

        Args:
            ledger: Directory of the ledger.
            key: Path of the private key. Without a file there, no checkpoint is ever written.
            file: Path of the file that they are added to.
            schedule: When.
            now: The moment that a checkpoint says.
            recorder: Writes the ledger.
            attest: Say on record, before anything is signed, which entries were found that nobody
                vouches for. False for a successor: its predecessor watched what it let go.
        """
        self._ledger = ledger
        self._key_path = key
        self._file = file
        self._schedule = schedule
        self._now = now
        self._key: SigningKey | None = None
        self._ledger_id: str | None = None
        self._head = GENESIS
        self._signed = GENESIS
        self._recorder = recorder
        self._attested = not attest
        self._attested_seq = 0
        """The record of what nobody vouches for, which the first checkpoint has to cover."""
        self._wanted_seq = 0
        self._covered = threading.Condition()
        self._tried_at_s = float("-inf")
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)

    def synced(self, head: Head) -> None:
        """Take note that the ledger is durable up to `head`. Costs the writer a comparison."""
        first = not self._head.seq
        self._head = head
        wanted = head.seq >= self._wanted_seq > self._signed.seq
        if first or wanted or head.seq - self._signed.seq >= self._schedule.every_records:
            self._wake.set()

    def start(self) -> None:
        """Begin to sign."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Sign where the ledger stands now, and end."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout_s)

    def cover(self, seq: int, timeout_s: float) -> bool:
        """Have entry `seq`, which is synced, signed now; False if it was not in `timeout_s`.

        True at once where no checkpoints are made. From any thread but this one's.
        """
        with self._covered:
            self._wanted_seq = max(self._wanted_seq, seq)
            self._wake.set()
            return self._covered.wait_for(
                lambda: self._signed.seq >= seq or not self._thread.is_alive(), timeout_s
            )

    def _run(self) -> None:
        try:
            self._sign_as_long_as_wanted()
        finally:
            with self._covered:
                self._covered.notify_all()

    def _sign_as_long_as_wanted(self) -> None:
        try:
            self._key = SigningKey.load(self._key_path)
        except FileNotFoundError:
            log.info("checkpoint.turned_off", key=self._key_path, reason="no such key")
            return
        except (NsledgerError, OSError) as error:
            log.error("checkpoint.turned_off", key=self._key_path, reason=str(error))  # noqa: TRY400 - the reason says it all
            return
        log.info("checkpoint.turned_on", key_id=self._key.key_id, file=self._file)
        while not self._closed:
            self._wake.wait(self._due_in_s())
            self._wake.clear()
            if self._due_in_s() <= 0:
                self._sign_once()
        self._sign_once()

    def _due_in_s(self) -> float:
        """How long until the next one, also after one that failed."""
        since_s = time.monotonic() - self._tried_at_s
        unsigned = self._head.seq - self._signed.seq
        if self._head.seq >= self._wanted_seq > self._signed.seq:
            return self._schedule.least_s - since_s
        if not unsigned:
            return self._schedule.every_s
        if unsigned >= self._schedule.every_records:
            return self._schedule.least_s - since_s
        return self._schedule.every_s - since_s

    def _sign_once(self) -> None:
        """One checkpoint of the newest synced entry, unless it has one."""
        head = self._head
        if head == self._signed or self._key is None:
            return
        self._tried_at_s = time.monotonic()
        line = ""
        if not self._attested and not self._attest(self._key):
            return
        head = self._head
        if head.seq < self._attested_seq:
            return  # Told, and not synced up to there: `synced` wakes this again.
        try:
            self._ledger_id = self._ledger_id or ledger_id(self._ledger)
            if self._ledger_id is None:
                log.error("checkpoint.failed", reason="the ledger does not say its id")
                return
            unsigned = Checkpoint(
                ledger_id=self._ledger_id,
                head=head,
                time=rfc3339(self._now().time_ns),
                key_id=self._key.key_id,
            )
            checkpoint = self._key.sign(unsigned)
            line = checkpoint.line.rstrip()
            checkpoint_file.append(self._file, checkpoint)
        except (NsledgerError, OSError) as error:
            # The line is as good in the log, which may be kept elsewhere, as in the file.
            log.error("checkpoint.failed", reason=str(error), checkpoint=line)  # noqa: TRY400 - the same
        else:
            notary.info("checkpoint.written", checkpoint=line)
            with self._covered:
                self._signed = head
                self._covered.notify_all()

    def _attest(self, key: SigningKey) -> bool:
        """Say which entries were there that nobody vouches for; whether that is on record."""
        found = self._recorder.opened_head
        if found is None:
            return False
        try:
            told = unattested(self._ledger, found, self._file, key)
        except (NsledgerError, OSError) as error:
            log.error("checkpoint.failed", reason=str(error))  # noqa: TRY400 - the same
            return False
        if told is not None:
            ticket = self._recorder.record(told, at=self._now(), sync=True)
            if not ticket.wait(_PATIENCE_S) or ticket.error is not None:
                return False
            self._attested_seq = ticket.seq or 0
            with self._covered:
                self._wanted_seq = max(self._wanted_seq, self._attested_seq)
            log.warning("ledger.unattested", from_seq=told.from_seq, through_seq=told.through_seq)
        self._attested = True
        return True


def unattested(ledger: str, found: Head, file: str, key: SigningKey) -> LedgerUnattested | None:
    """Which entries up to `found` are behind the newest checkpoint that `key` signed; None if none.

    Raises:
        LedgerError: the ledger or an entry in it cannot be read.
        OSError: a file cannot be read.
    """
    if not found.seq:
        return None
    ours = ledger_id(ledger)
    try:
        told = checkpoint_file.newest(file, _LOOKED_AT)
    except FileNotFoundError:
        told = ()
    signed = [one for one in told if one.ledger_id == ours and key.sign(one) == one]
    reason = "rewritten" if signed else "no_checkpoint"
    for checkpoint in signed:
        entry = next(entries(ledger, checkpoint.head.seq), None)
        if entry is not None and entry.head == checkpoint.head:
            if checkpoint.head == found:
                return None
            reason = "" if checkpoint is signed[0] else reason
            return LedgerUnattested(
                source=Source.DAEMON,
                from_seq=checkpoint.head.seq + 1,
                through_seq=found.seq,
                reason=reason,
            )
    first = place.find(ledger).before.seq + 1
    return LedgerUnattested(
        source=Source.DAEMON, from_seq=first, through_seq=found.seq, reason=reason
    )
