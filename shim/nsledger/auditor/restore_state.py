"""What the daemon knows when it starts: its own ledger, folded up to its own first record.

Without it a restart would take everything on the node for new. It reads as any reader does, while
the recorder already writes, and it stops where this daemon's own records begin.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from nsledger.auditor.node_state import NodeState
from nsledger.index.entries import EntryChangedError
from nsledger.index.opening import existing
from nsledger.index.records import Records
from nsledger.ledger import reader
from nsledger.ledger.errors import LedgerError, NotAnEntryError
from nsledger.ledger.line import Entry
from nsledger.model.events import ContainerWitnessed
from nsledger.model.record import Record, UnreadableRecordError, decode, rfc3339
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.ticket import Ticket
from nsledger.spool.inbox import Inbox

_OPENING_LIMIT_S: Final = 10.0
"""How long the recorder may take to open the ledger; past it, the daemon knows nothing of it."""
_FORGET_EVERY: Final = 1024
"""Records between two sweeps; each looks at all pods."""


class RestoredState:
    """Runs once, on the follow-up worker's thread, before its first job."""

    def __init__(
        self,
        *,
        node_state: NodeState,
        spool: Inbox,
        recorder: Recorder,
        ledger: str,
        entries: Callable[[str], Iterable[Entry]] = reader.entries,
    ) -> None:
        self.first: Ticket | None = None
        """Of this daemon's first record; set before the follow-up worker starts."""
        self._node_state = node_state
        self._spool = spool
        self._recorder = recorder
        self._ledger = ledger
        self._entries = entries
        self._taken = 0

    def restore(self) -> None:
        """Fold what is on record. What cannot be read of it is a gap, and is found anew."""
        first = self.first
        if first is None or not first.wait(_OPENING_LIMIT_S) or first.seq is None:
            self._recorder.gap("not_recollected", detail="the ledger cannot be written")
            return
        try:
            for line in self._lines(first.seq):
                self._take(decode(line))
        except (LedgerError, UnreadableRecordError, OSError) as error:
            self._recorder.gap("not_recollected", detail=type(error).__name__)
        # Of another boot than the daemon's own records, everything has ended.
        workloads, at = self._node_state.workloads, first.at
        workloads.apply(first.event, time=rfc3339(at.time_ns), boot_id=at.boot_id)
        workloads.forget_removed()
        for pod_sandbox_id in workloads.pods:
            self._node_state.know(pod_sandbox_id)
        self._node_state.watch_exits()

    def _lines(self, before_seq: int) -> Iterable[bytes]:
        """What tells of the pods that are there: by the index, or all that is on record."""
        try:
            with existing(self._ledger, cache=None) as index:
                if index is not None:
                    records = Records(index.database, index.reached, self._ledger)
                    return records.restored(before_seq)
        except (EntryChangedError, NotAnEntryError, sqlite3.Error):
            pass  # the index is wrong, or the ledger: what does not depend on either is all of it
        found = self._entries(self._ledger)
        until = itertools.takewhile(lambda entry: entry.seq < before_seq, found)
        return (entry.line for entry in until)

    def _take(self, record: Record) -> None:
        self._node_state.workloads.apply_record(record)
        event = record.event
        if isinstance(event, ContainerWitnessed):
            self._spool.remember(event)
        self._taken += 1
        if self._taken % _FORGET_EVERY == 0:
            self._node_state.workloads.forget_removed()
