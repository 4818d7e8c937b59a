from __future__ import annotations

import errno
from collections import Counter
from dataclasses import dataclass, field

import pytest

from nsledger.model.record import Moment, decode_event
from nsledger.recorder.forwarding import Forwarding, NotWrittenYetError
from nsledger.recorder.ticket import RecordLostError, Ticket
from tests import recording


@dataclass
class FakeSuccessor:
    reason: str = ""
    lost: bool = False
    kept: list[str] = field(default_factory=list[str])
    syncs: list[bool] = field(default_factory=list[bool])
    closed: bool = False

    def let_go(self) -> None:
        self._answer()

    def keep(self, told: list[tuple[bytes, Moment]], *, sync: bool) -> str:
        self._answer()
        self.kept += [str(getattr(decode_event(event), "reason", "")) for event, _ in told]
        self.syncs.append(sync)
        return self.reason

    def close(self) -> None:
        self.closed = True

    def _answer(self) -> None:
        if self.lost:
            raise ConnectionResetError(errno.ECONNRESET, "gone")


def forwarding(successor: FakeSuccessor) -> Forwarding:
    return Forwarding(successor, appended=5, failures=Counter())


def ticket(word: str, *, sync: bool = False) -> Ticket:
    return Ticket(recording.event(word), recording.now(), sync=sync)


def test_what_the_successor_took_is_done_and_counted_in_its_order() -> None:
    successor = FakeSuccessor()
    passing = forwarding(successor)
    tickets = [ticket("one"), ticket("two", sync=True)]
    for one in tickets:
        passing.take_in(one)
    assert passing.waiting == 2

    passing.write(0)

    assert successor.kept == ["one", "two"]
    assert successor.syncs == [True]
    assert [one.error for one in tickets] == [None, None]
    assert (passing.appended, passing.synced, passing.waiting) == (7, 7, 0)


def test_what_the_successor_cannot_write_yet_is_its_own_and_nobody_waits_for_it() -> None:
    successor = FakeSuccessor(reason="ENOSPC")
    passing = forwarding(successor)
    one = ticket("one")
    passing.take_in(one)

    passing.write(0)

    assert isinstance(one.error, NotWrittenYetError)
    assert passing.failing is None
    assert passing.waiting == 0


def test_if_the_successor_is_lost_what_it_did_not_take_comes_back() -> None:
    successor = FakeSuccessor(lost=True)
    passing = forwarding(successor)
    one = ticket("one")
    passing.take_in(one)

    passing.write(0)

    assert isinstance(passing.failing, ConnectionResetError)
    assert passing.give_back() == [one]
    assert not one.done
    assert successor.closed


def test_a_successor_that_does_not_hear_of_the_ledger_is_lost() -> None:
    passing = forwarding(FakeSuccessor(lost=True))

    passing.let_go()

    assert isinstance(passing.failing, ConnectionResetError)


def test_what_no_ledger_can_hold_is_refused() -> None:
    passing = forwarding(FakeSuccessor())

    with pytest.raises(RecordLostError) as caught:
        passing.take_in(Ticket(recording.unencodable(), recording.now()))
    assert caught.value.reason == "unencodable"

    with pytest.raises(RecordLostError) as caught:
        passing.take_in(ticket("x" * (1 << 21)))
    assert caught.value.reason == "oversized"


def test_what_still_waits_at_the_end_is_lost_and_said_so() -> None:
    passing = forwarding(FakeSuccessor())
    one = ticket("one")
    passing.take_in(one)

    passing.close()

    assert isinstance(one.error, RecordLostError)
