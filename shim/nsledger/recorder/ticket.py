"""What a caller gets for an event: how the writing of it went."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import structlog

from nsledger.errors import NsledgerError
from nsledger.model.events import Event
from nsledger.model.record import Moment

log = structlog.get_logger(__name__)


class RecordLostError(NsledgerError):
    """An event that the recorder will not write, and what it was."""

    def __init__(self, *, reason: str, event: Event) -> None:
        self.reason = reason
        """What it is counted under: `queue_full`, `oversized`, `unencodable` or `closed`."""
        self.event_name = str(event.__struct_config__.tag)
        super().__init__(f"{self.event_name} is not recorded: {reason}")

    @property
    def for_good(self) -> bool:
        """Whether another try would end the same way."""
        return self.reason in {"oversized", "unencodable"}


class Ticket:
    """How the first attempt to write one event went: known once, then for good.

    `error` None: the event is in the ledger, and synced if that was asked. `RecordLostError`: it
    will not be. Any other: the ledger cannot be written just now; unless `retry` is False the
    recorder keeps the event and writes it when that works again, but nobody should wait for it.
    """

    __slots__ = (
        "_callbacks",
        "at",
        "done",
        "encoded",
        "error",
        "event",
        "retry",
        "seq",
        "sync",
        "urgent",
    )

    def __init__(
        self,
        event: Event,
        at: Moment,
        *,
        sync: bool = False,
        retry: bool = True,
        urgent: bool = False,
        encoded: bytes | None = None,
    ) -> None:
        self.event = event
        self.at = at
        self.encoded = encoded
        """The record, if it was encoded before it came here: it is kept ahead, nobody waits."""
        self.sync = sync
        self.retry = retry and not urgent
        self.urgent = urgent
        """Written even while the disk counts as full, since room will follow from it; or never."""
        self.done = False
        self.error: Exception | None = None
        self.seq: int | None = None
        """Of the event's entry, as soon as it has one."""
        self._callbacks: deque[Callable[[], None]] | None = None if encoded else deque()
        """Made at need for what is kept ahead: one thread at most asks for that, mostly none."""

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once: on the writer's thread, or at once if it is done already.

        It must return soon and not raise.
        """
        if self._callbacks is None:
            self._callbacks = deque()
        self._callbacks.append(callback)
        if self.done:
            self._call_back()

    def wait(self, timeout_s: float) -> bool:
        """Whether it is done within `timeout_s`. Not for a thread that serves others."""
        done = threading.Event()
        self.on_done(done.set)
        return done.wait(timeout_s)

    def finish(self, error: Exception | None) -> None:
        """For the recorder: the first attempt is over. A second call changes nothing."""
        if not self.done:
            self.error = error
            self.done = True
            self._call_back()

    def _call_back(self) -> None:
        # Two threads may be here at once; a callback belongs to the one that takes it out.
        callbacks = self._callbacks
        while callbacks:
            try:
                callback = callbacks.popleft()
            except IndexError:
                return
            run_foreign(callback)


def run_foreign(callback: Callable[[], None]) -> None:
    """Run what is not the recorder's on its thread: a mistake in there must not end the record."""
    try:
        callback()
    except Exception as error:  # noqa: BLE001 - whatever it was
        # A traceback may show what was being recorded, and a log is no place for that.
        log.error("recorder.callback_failed", error=type(error).__name__)  # noqa: TRY400
