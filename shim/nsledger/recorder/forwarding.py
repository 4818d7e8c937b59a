"""Events passed on to the process that has the ledger now: the recorder's work after a hand-over.

Stands in the place of `GroupCommit`, and like it has no thread and no clock. What a successor has
taken is its to record; what it has not stays here, and comes back if the successor is lost.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

from nsledger.errors import NsledgerError
from nsledger.ledger.line import GENESIS, MAX_RECORD_BYTES, Head
from nsledger.model.record import Moment, encode_event
from nsledger.recorder.rotation import NEVER
from nsledger.recorder.ticket import RecordLostError, Ticket

_BATCH: Final = 512


class Successor(Protocol):
    """The process that took the ledger over. Called on the recorder's thread, which may wait."""

    def let_go(self) -> None:
        """Say that the ledger is synced, closed, and can be opened.

        Raises:
            OSError: the successor is gone.
        """
        ...

    def keep(self, told: list[tuple[bytes, Moment]], *, sync: bool) -> str:
        """Give it events, encoded; the reason why they are not in the ledger yet, else nothing.

        Raises:
            OSError: the successor is gone, or does not answer.
            NsledgerError: it answered something else.
        """
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class NotWrittenYetError(NsledgerError):
    """The successor has the event and will record it, once its ledger can be written."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"handed over, not written yet: {reason}")
        self.reason = reason


class Forwarding:
    """What waits to be passed on."""

    def __init__(
        self,
        successor: Successor,
        *,
        appended: int,
        failures: Counter[str],
        synced_head: Head = GENESIS,
    ) -> None:
        """All but the first go on from where the ledger was let go."""
        self.synced_head = synced_head
        self.appended = appended
        self.failures = failures
        self.failing: Exception | None = None
        """Why nothing more can be passed on: `give_back` what waits, at once."""
        self.retry_at_s = 0.0
        self.sync_at_s = NEVER
        self.syncing = False
        self._successor = successor
        self._waiting: list[tuple[Ticket, bytes]] = []

    @property
    def synced(self) -> int:
        """Whatever the successor took is its to sync."""
        return self.appended

    @property
    def waiting(self) -> int:
        """Events that the successor has not taken yet."""
        return len(self._waiting)

    def take_in(self, ticket: Ticket) -> None:
        """Have the ticket's event passed on by the next `write`.

        Raises:
            RecordLostError: it is no event that a ledger can hold.
        """
        try:
            told = encode_event(ticket.event)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RecordLostError(reason="unencodable", event=ticket.event) from error
        if len(told) > MAX_RECORD_BYTES:
            raise RecordLostError(reason="oversized", event=ticket.event)
        self._waiting.append((ticket, told))

    def let_go(self) -> None:
        """Tell the successor that the ledger is its own."""
        try:
            self._successor.let_go()
        except (OSError, NsledgerError) as error:
            self.failing = error

    def write(self, _time_s: float, *, sync: bool = False) -> list[Ticket]:
        """Pass on everything that waits; `failing` says if that cannot be done any more.

        Returns nothing: the entries' numbers are the successor's, and so is who listens to them.
        """
        while self._waiting and self.failing is None:
            batch = self._waiting[:_BATCH]
            try:
                reason = self._successor.keep(
                    [(told, ticket.at) for ticket, told in batch],
                    sync=sync or any(ticket.sync for ticket, _ in batch),
                )
            except (OSError, NsledgerError) as error:
                self.failing = error
                break
            del self._waiting[: len(batch)]
            self.appended += len(batch)
            for ticket, _ in batch:
                ticket.finish(NotWrittenYetError(reason=reason) if reason else None)
        return []

    def give_back(self) -> list[Ticket]:
        """End, and return what the successor did not take."""
        left = [ticket for ticket, _ in self._waiting]
        self._waiting = []
        self._successor.close()
        return left

    def close(self) -> None:
        """End; what still waits will not be recorded."""
        for ticket in self.give_back():
            ticket.finish(RecordLostError(reason="closed", event=ticket.event))
