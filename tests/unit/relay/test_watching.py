from __future__ import annotations

import time
from typing import cast

import pytest

from nsledger.relay.connection import Link
from nsledger.relay.dispatch import Dispatcher, FailurePolicy, RelayOptions
from nsledger.relay.h2.calls import HeldCall, Treatment
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.streams import Answered, Overlooked, RequestHeld, RequestSeen, Unfollowed
from tests.integration.relaying import RecordingInterceptor as Interceptor

SECOND_NS = 1_000_000_000


class Core:
    """Keeps what is decided on; breaks on request."""

    def __init__(self) -> None:
        self.decided: list[tuple[str, int, bytes]] = []
        self.breaks = False

    def release(self, stream_id: int, appended: bytes = b"") -> bool:
        if self.breaks:
            raise RuntimeError("the relay's own fault")
        self.decided.append(("release", stream_id, appended))
        return True

    def refuse(self, stream_id: int) -> bool:
        self.decided.append(("refuse", stream_id, b""))
        return True


class FakeLink:
    """A link without sockets."""

    def __init__(self) -> None:
        self.core = Core()
        self.closed = False
        self.settled = 0

    def settle(self) -> None:
        self.settled += 1

    def close(self) -> None:
        self.closed = True


class Room:
    """The desk between a link and an interceptor, and what became of it."""

    def __init__(self, policy: FailurePolicy = "ignore") -> None:
        self.wakes = 0
        self.link = FakeLink()
        self.interceptor = Interceptor({"/h": Treatment.HOLD}, on_held=lambda _call, _message: None)
        self.counters = Counters()
        options = RelayOptions(hold_limit_s=1, failure_policy=policy)
        self.dispatcher = Dispatcher(self.interceptor, self.counters, options, self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def tell(self, event: RequestHeld | RequestSeen | Answered | Overlooked | Unfollowed) -> None:
        self.dispatcher.tell(cast("Link", self.link), event)

    def carry_out(self, after_s: float = 0) -> None:
        self.dispatcher.carry_out(time.monotonic_ns() + int(after_s * SECOND_NS))


def test_the_first_decision_counts() -> None:
    room = Room()

    def decide_twice(call: HeldCall, _message: bytes) -> None:
        call.release(b"first")
        call.refuse()

    room.interceptor.on_held = decide_twice

    room.tell(RequestHeld(1, "/h", b"m"))
    room.carry_out()

    assert room.link.core.decided == [("release", 1, b"first")]


def test_what_is_decided_at_once_goes_out_with_the_bytes_of_its_moment() -> None:
    room = Room()
    room.interceptor.on_held = lambda call, message: call.release(message)

    room.tell(RequestHeld(1, "/h", b"m"))

    assert room.link.core.decided == [("release", 1, b"m")]
    room.carry_out()
    assert room.link.settled == 0


def test_what_is_decided_later_wakes_the_relay_and_goes_out_in_one_piece() -> None:
    room = Room()
    for stream_id in (1, 3, 5):
        room.tell(RequestHeld(stream_id, "/h", b"m"))
    for call, _ in room.interceptor.held:
        cast("HeldCall", call).release()
    assert room.link.core.decided == []
    assert room.wakes

    room.carry_out()

    assert room.link.core.decided == [("release", stream_id, b"") for stream_id in (1, 3, 5)]
    assert room.link.settled == 1


@pytest.mark.parametrize(
    ("policy", "decision"), [("ignore", ("release", 1, b"")), ("fail", ("refuse", 1, b""))]
)
def test_the_hold_limit_decides_once_it_is_over(
    policy: FailurePolicy, decision: tuple[str, int, bytes]
) -> None:
    room = Room(policy)
    room.tell(RequestHeld(1, "/h", b"m"))
    assert room.dispatcher.next_deadline_ns is not None

    room.carry_out(after_s=0.9)
    assert room.link.core.decided == []
    room.carry_out(after_s=1.1)

    assert room.link.core.decided == [decision]
    assert room.interceptor.overlooks == [("hold_limit", "/h")]
    assert room.counters.overlooked == {"hold_limit": 1}
    assert room.dispatcher.next_deadline_ns is None


def test_a_call_that_is_over_is_not_waited_for() -> None:
    room = Room()
    room.tell(RequestHeld(1, "/h", b"m"))

    room.tell(Answered(1, None, 4))

    assert room.dispatcher.next_deadline_ns is None
    assert [facts for _, *facts in room.interceptor.answers] == [[None, 4]]


def test_a_fault_of_the_relays_own_costs_one_connection_and_is_said() -> None:
    room = Room()
    room.tell(RequestHeld(1, "/h", b"m"))
    room.link.core.breaks = True

    room.carry_out(after_s=2)

    assert room.link.closed
    assert room.counters.overlooked == {"hold_limit": 1, "relay_error": 1}


def test_gaps_of_a_call_and_of_a_connection_are_told_and_counted() -> None:
    room = Room()

    room.tell(Overlooked("oversized", "/h"))
    room.tell(Unfollowed("not_http2"))

    assert room.interceptor.overlooks == [("oversized", "/h"), ("not_http2", None)]
    assert room.counters.overlooked == {"oversized": 1, "not_http2": 1}
