from __future__ import annotations

import pytest

from nsledger.relay.h2.frames import (
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)
from nsledger.relay.h2.streams import Overlooked, Unfollowed
from tests.http2_wire import HOLD, PASS, Wire, data, frames, padded_data, prefixed, request


def test_whole_frames_pass_as_the_very_object_they_came_in() -> None:
    wire = Wire()
    piece = wire.request_headers(1, PASS) + request(1, b"m")

    wire.client(piece)

    assert wire.relay.for_runtime == [piece]
    assert wire.relay.for_runtime[0] is piece


def test_a_long_data_frame_passes_before_it_is_whole() -> None:
    wire = Wire()
    headers, piece = wire.request_headers(1, PASS), data(1, bytes(16_000))

    wire.client(headers + piece[:100])

    assert wire.for_runtime() == headers + piece[:100]
    wire.client(piece[100:])
    assert wire.for_runtime() == piece[100:]


def test_frames_of_an_unknown_type_pass() -> None:
    wire = Wire()
    strange = frame(0xAB, 0xFF, 7, b"payload")

    wire.client(strange)
    wire.runtime(strange)

    assert wire.for_runtime() == wire.for_client() == strange
    assert wire.events() == []


def test_the_relays_own_frames_wait_for_the_end_of_a_frame_that_passes() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    passing = data(3, bytes(1000))
    wire.client(wire.request_headers(3, PASS) + passing[:500])
    wire.for_runtime()

    wire.relay.release(1, b" and more")
    assert wire.for_runtime() == b""
    wire.client(passing[500:] + frame(PING, 0, 0, bytes(8)))

    sent = wire.for_runtime()
    assert sent.startswith(passing[500:])
    assert [name for name, *_ in frames(sent[len(passing[500:]) :])] == ["DataFrame", "PingFrame"]
    assert b"held and more" in sent


def test_the_relays_own_frames_never_stand_in_a_header_block() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    begins, ends = wire.in_two_frames(wire.request_headers(3, PASS))
    wire.client(begins)
    wire.for_runtime()

    wire.relay.release(1)
    assert wire.for_runtime() == b""
    wire.client(ends)

    assert wire.for_runtime() == ends + request(1, b"held")


def test_a_header_block_over_several_frames_is_still_known() -> None:
    wire = Wire()
    wire.client(b"".join(wire.in_two_frames(wire.request_headers(1, HOLD))))

    assert wire.counters.calls == {HOLD: 1}


@pytest.mark.parametrize(
    "strange",
    [
        frame(HEADERS, END_HEADERS, 1, b"\x40\x7f"),  # no HPACK
        frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff"),  # more padding than payload
        frame(SETTINGS, 0, 0, b"12345"),  # no settings
        frame(0x9, END_HEADERS, 1, b""),  # continues nothing
        frame(HEADERS, 0, 1, b"") + frame(HEADERS, END_HEADERS, 1, b""),  # a block in a block
        frame(HEADERS, END_HEADERS, 1, bytes(2 << 20)),  # too long to look at
    ],
)
def test_what_is_not_understood_passes_and_watching_ends_there(strange: bytes) -> None:
    wire = Wire()
    wire.client(strange)
    later = frame(HEADERS, END_HEADERS, 9, b"\x83\x44\x02/x") + request(9, b"m")

    wire.client(later)

    assert wire.for_runtime() == strange + later
    assert len([event for event in wire.events() if isinstance(event, Unfollowed)]) == 1


def test_calls_held_before_something_strange_are_still_released() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.client(frame(HEADERS, END_HEADERS, 3, b"\x40\x7f"))
    wire.for_runtime()

    assert wire.relay.release(1, b" and more")

    assert wire.for_runtime() == request(1, b"held and more")


def test_the_reserved_bit_hides_no_stream() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD))
    wire.for_runtime()

    wire.client(frame(DATA, 1, 1 | 1 << 31, prefixed(b"hidden")))

    assert wire.for_runtime() == b""


@pytest.mark.parametrize("kind", [WINDOW_UPDATE, GOAWAY, RST_STREAM, PING])
def test_control_frames_cut_anywhere_pass_whole(kind: int) -> None:
    piece = frame(kind, 0, 0 if kind != RST_STREAM else 5, bytes(range(8)))
    for at in range(1, len(piece)):
        wire = Wire()
        wire.runtime(piece[:at])
        wire.runtime(piece[at:])

        assert wire.for_client() == piece


def test_bad_padding_in_a_held_stream_is_the_runtimes_to_judge() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD))
    wire.for_runtime()
    bad = frame(DATA, PADDED, 1, b"\xff123")

    wire.client(bad)

    assert wire.for_runtime() == bad
    assert [type(event) for event in wire.events()] == [Unfollowed]


def test_trailers_of_a_request_stay_behind_its_data() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + data(1, prefixed(b"held")))
    wire.for_runtime()
    trailers = wire.request_trailers(1)
    after = wire.request_headers(3, PASS)

    wire.client(trailers + after)

    assert wire.for_runtime() == data(1, prefixed(b"held")) + trailers + after
    assert wire.events() == [Overlooked("malformed", HOLD)]


def test_trailers_behind_data_that_waits_for_a_window_stop_the_client_until_it_opens() -> None:
    wire = Wire()
    wire.runtime(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\4"))  # streams start with 4 bytes
    wire.client(wire.request_headers(1, HOLD) + data(1, prefixed(b"hold")))
    wire.for_runtime()
    trailers = wire.request_trailers(1)

    wire.client(trailers)
    assert wire.for_runtime() == data(1, prefixed(b"hold")[:4])
    assert not wire.relay.wants_client_bytes
    wire.client(frame(PING, 0, 0, bytes(8)))
    assert wire.for_runtime() == b""
    wire.runtime(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x64"))

    sent = data(1, prefixed(b"hold")[4:]) + trailers + frame(PING, 0, 0, bytes(8))
    assert wire.for_runtime() == sent
    assert wire.relay.wants_client_bytes


def test_padding_of_held_data_does_not_reach_the_message() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD))
    wire.client(padded_data(1, prefixed(b"held"), 40, ends=True))
    wire.for_runtime()

    wire.relay.release(1)

    assert wire.for_runtime() == request(1, b"held")
