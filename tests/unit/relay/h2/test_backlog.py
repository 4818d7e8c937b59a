from __future__ import annotations

import pytest

from nsledger.relay.h2.frames import RST_STREAM, frame, rst_stream, window_update
from nsledger.relay.h2.streams import Answered, Limits, Overlooked, RequestHeld, RequestSeen
from tests.http2_wire import HOLD, PASS, TAP, Wire, data, frames, padded_data, prefixed, request


def _granted(wire_bytes: bytes) -> dict[int, int]:
    granted: dict[int, int] = {}
    for name, stream_id, _, body in frames(wire_bytes):
        assert name == "WindowUpdateFrame"
        granted[stream_id] = granted.get(stream_id, 0) + int.from_bytes(body, "big")
    return granted


def test_headers_of_a_held_call_pass_at_once_and_its_data_does_not() -> None:
    wire = Wire()
    headers = wire.request_headers(1, HOLD)

    wire.client(headers + request(1, b"held"))

    assert wire.for_runtime() == headers
    assert wire.events() == [RequestHeld(1, HOLD, b"held")]
    assert wire.relay.keeps_request_bytes


def test_a_released_request_leaves_once_with_what_is_appended_to_it() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.for_runtime()

    assert wire.relay.release(1, b" and annotated")
    assert not wire.relay.release(1)
    assert not wire.relay.refuse(1)

    assert wire.for_runtime() == request(1, b"held and annotated")
    assert not wire.relay.keeps_request_bytes


def test_an_incomplete_request_gets_its_window_back_and_cannot_be_released() -> None:
    wire = Wire()
    first, second = prefixed(bytes(30_000))[:16_000], prefixed(bytes(30_000))[16_000:]
    wire.client(wire.request_headers(1, HOLD) + padded_data(1, first, 9))

    assert not wire.relay.release(1)
    assert _granted(wire.for_client()) == {0: 16_010, 1: 16_010}
    wire.client(data(1, second, ends=True))

    assert wire.for_client() == b""
    assert wire.events() == [RequestHeld(1, HOLD, bytes(30_000))]


def test_the_runtimes_credit_for_added_bytes_is_kept_from_the_client() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, bytes(995)))
    wire.relay.release(1, bytes(500))

    wire.runtime(window_update(0, 300))
    assert wire.for_client() == b""
    wire.runtime(window_update(0, 1200))

    assert wire.for_client() == window_update(0, 1000)


def test_a_request_that_was_padded_gives_the_rest_of_its_window_back() -> None:
    wire = Wire()
    held = prefixed(bytes(95))
    wire.client(wire.request_headers(1, HOLD) + padded_data(1, held, 99, ends=True))

    wire.relay.release(1)

    assert wire.for_runtime().endswith(data(1, held, ends=True))
    assert wire.for_client() == window_update(0, 100)


def test_passing_data_waits_while_a_debt_has_used_up_the_runtimes_window() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.client(wire.request_headers(3, PASS))
    wire.relay.release(1, bytes(65_535 - 9 - 100))  # leaves the runtime a window of 100
    wire.for_runtime()

    # The client, which sent 9 bytes so far, believes in far more.
    wire.client(padded_data(3, bytes(250), 5, ends=True))
    assert wire.for_runtime() == data(3, bytes(100))
    assert _granted(wire.for_client()) == {0: 6}
    wire.client(wire.request_headers(5, PASS, ends=True))
    assert [name for name, *_ in frames(wire.for_runtime())] == ["HeadersFrame"]
    wire.runtime(window_update(0, 1000))

    assert wire.for_runtime() == data(3, bytes(150), ends=True)
    assert wire.for_client() == b""


def test_a_reset_by_the_client_drops_what_was_held_and_pays_for_it() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, bytes(995)))
    wire.for_runtime()
    wire.events()

    wire.client(rst_stream(1, 8))

    assert wire.for_runtime() == rst_stream(1, 8)
    assert wire.for_client() == window_update(0, 1000)
    assert wire.events() == [Answered(1, None, None)]
    assert not wire.relay.release(1)
    assert not wire.relay.keeps_request_bytes


def test_a_reset_by_the_runtime_drops_what_was_held() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.for_runtime()
    wire.events()

    wire.runtime(rst_stream(1, 7))

    assert wire.for_client() == rst_stream(1, 7) + window_update(0, 9)
    assert wire.events() == [Answered(1, None, None)]
    assert not wire.relay.release(1, b"too late")
    assert wire.for_runtime() == b""


def test_a_request_that_is_answered_before_it_was_released_goes_on_as_it_is() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.for_runtime()
    wire.events()

    wire.runtime(wire.answer_trailers(1, 12))

    assert wire.for_runtime() == request(1, b"held")
    assert wire.events() == [Answered(1, None, 12)]
    assert not wire.relay.release(1, b"too late")


def test_a_request_that_is_answered_before_it_was_complete_is_let_go() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + data(1, prefixed(b"held")[:4]))
    wire.for_runtime()

    wire.runtime(wire.answer_trailers(1, 12))
    wire.client(data(1, prefixed(b"held")[4:], ends=True))

    assert wire.for_runtime() == data(1, b"\0\0\0\0") + data(1, b"\x04held", ends=True)
    assert wire.events() == [Overlooked("answered_early", HOLD)]


def test_a_refused_request_is_reset_on_both_sides() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.for_runtime()
    wire.events()

    assert wire.relay.refuse(1)

    assert wire.for_runtime() == rst_stream(1, 8)
    assert frames(wire.for_client())[-1] == (
        "RstStreamFrame",
        1,
        frozenset(),
        b"\0\0\0\x07",
    )
    assert wire.events() == [Answered(1, None, None)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x01" + prefixed(bytes(100))[1:], "compressed"),
        (prefixed(bytes(2000)), "oversized"),
        (prefixed(b"one") + prefixed(b"two"), "malformed"),
    ],
)
def test_what_cannot_be_held_passes_as_the_frame_it_was(body: bytes, reason: str) -> None:
    wire = Wire(Limits(held_message_bytes=1000))
    headers, piece = wire.request_headers(1, HOLD), padded_data(1, body, 3, ends=True)

    wire.client(headers + piece)

    assert wire.for_runtime() == headers + piece
    assert wire.events() == [Overlooked(reason, HOLD)]
    assert wire.for_client() == b""


def test_under_fail_what_cannot_be_held_is_refused_and_the_rest_of_it_swallowed() -> None:
    wire = Wire(Limits(held_message_bytes=1000, refuse_unwatchable=True))
    headers = wire.request_headers(1, HOLD)

    wire.client(headers + data(1, prefixed(bytes(2000))[:500]))
    wire.client(data(1, bytes(500)))
    wire.client(frame(RST_STREAM, 0, 1, bytes(4)))

    assert wire.for_runtime() == headers + rst_stream(1, 8)
    granted = [item for item in frames(wire.for_client()) if item[0] == "WindowUpdateFrame"]
    assert sum(int.from_bytes(item[3], "big") for item in granted if item[1] == 0) == 1000
    assert wire.events() == [Overlooked("oversized", HOLD)]


def test_a_flood_of_refused_streams_is_not_remembered_for_ever() -> None:
    wire = Wire(Limits(held_message_bytes=10, refuse_unwatchable=True))
    for number in range(3000):
        stream_id = 2 * number + 1
        wire.client(wire.request_headers(stream_id, HOLD) + data(stream_id, prefixed(bytes(99))))
        wire.for_runtime()
        wire.for_client()

    assert len(wire.relay._requests.held_requests._attended) <= 1024


def test_all_that_one_connection_holds_has_a_bound() -> None:
    wire = Wire(Limits(held_bytes=1000))
    wire.client(wire.request_headers(1, HOLD) + request(1, bytes(600)))
    wire.for_runtime()
    wire.client(wire.request_headers(3, HOLD) + request(3, bytes(600)))

    assert frames(wire.for_runtime())[1][3] == prefixed(bytes(600))
    assert wire.events() == [RequestHeld(1, HOLD, bytes(600)), Overlooked("crowded", HOLD)]


def test_a_tapped_request_passes_at_once_and_is_told_when_complete() -> None:
    wire = Wire()
    headers = wire.request_headers(1, TAP)
    first, second = data(1, prefixed(b"tapped")[:7]), data(1, b"pped", ends=True)

    wire.client(headers + first)
    assert wire.for_runtime() == headers + first
    assert wire.events() == []
    wire.client(second)

    assert wire.for_runtime() == second
    assert wire.events() == [RequestSeen(1, TAP, b"tapped")]


def test_a_tapped_request_that_ends_with_trailers_is_told() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, TAP) + data(1, prefixed(b"tapped")))
    wire.client(wire.request_trailers(1))

    assert wire.events() == [RequestSeen(1, TAP, b"tapped")]


def test_a_tapped_request_that_cannot_be_read_is_said_to_be() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, TAP) + data(1, b"junk", ends=True))

    assert wire.events() == [Overlooked("malformed", TAP)]
