"""The thread that waits for the disk, so that the recorder does not: one fdatasync at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from nsledger.ledger.writer import PendingSync
from nsledger.recorder.ticket import Ticket


@dataclass(slots=True)
class Syncing:
    """What the disk is busy with."""

    pending: PendingSync
    appended: int
    """How many records will be synced."""
    tickets: list[Ticket]
    error: OSError | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Syncer:
    """Runs what it is given, in order, and never raises: what it runs may not."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="syncer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, work: Callable[[], None]) -> None:
        """Have `work` run soon. Never blocks."""
        self._work.put(work)

    def close(self) -> None:
        """End after what was put; a disk that hangs is not waited for."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def at_once(work: Callable[[], None]) -> None:
    """Run it here and now: for who has no thread to spare."""
    work()
