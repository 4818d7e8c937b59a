from __future__ import annotations

import pytest

from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.frames import PREFACE
from nsledger.relay.h2.streams import Overlooked, Unfollowed
from tests.http2_wire import HOLD, PASS, Wire, data, frames


def test_the_preface_may_come_in_pieces() -> None:
    relay = RelayedConnection(lambda _: None, Counters())
    for at in range(len(PREFACE)):
        assert not relay.started
        relay.receive_from_client(PREFACE[at : at + 1])

    assert relay.started
    assert b"".join(relay.for_runtime) == PREFACE


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"PRI * HTTP/1", b"\x16\x03\x01"])
def test_another_protocol_is_copied_both_ways(first: bytes) -> None:
    relay = RelayedConnection(lambda _: None, Counters())
    relay.receive_from_runtime(b"220 hel")
    for at in range(len(first)):
        relay.receive_from_client(first[at : at + 1])
    relay.receive_from_runtime(b"lo")

    assert b"".join(relay.for_runtime) == first
    assert b"".join(relay.for_client) == b"220 hello"
    assert relay.events == [Unfollowed("not_http2")]


def test_a_path_is_asked_for_once_and_a_flood_of_paths_is_not_kept() -> None:
    asked: list[str] = []

    def treatment(path: str) -> Treatment | None:
        asked.append(path)
        return None

    wire = Wire()
    wire.relay._requests._treatment = treatment
    for stream_id in (1, 3):
        wire.client(wire.request_headers(stream_id, PASS, ends=True))
    assert asked == [PASS]

    for number in range(1000):
        wire.client(wire.request_headers(2 * number + 5, f"/{number}", ends=True))

    assert len(wire.relay._requests._routes) <= 256


def test_a_path_that_is_no_text_is_still_a_path() -> None:
    wire = Wire()
    block = b"\x83\x44\x03/\xff\xfe"

    wire.client(len(block).to_bytes(3, "big") + b"\x01\x05\0\0\0\x01" + block)

    assert wire.counters.calls == {"/\\xff\\xfe": 1}


def test_a_call_to_hold_without_a_message_passes_and_is_said_to() -> None:
    wire = Wire()
    headers = wire.request_headers(1, HOLD, ends=True)

    wire.client(headers)

    assert wire.for_runtime() == headers
    assert wire.events() == [Overlooked("malformed", HOLD)]


def test_trailers_are_not_another_call() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, PASS) + data(1, b"x") + wire.request_trailers(1))

    assert wire.counters.calls == {PASS: 1}
    assert [name for name, *_ in frames(wire.for_runtime())] == [
        "HeadersFrame",
        "DataFrame",
        "HeadersFrame",
    ]
