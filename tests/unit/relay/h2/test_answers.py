from __future__ import annotations

import struct

from nsledger.relay.h2.frames import goaway, rst_stream
from nsledger.relay.h2.streams import Answered, Overlooked, RequestHeld, RequestSeen
from tests.http2_wire import HOLD, PASS, TAP, Wire, data, padded_data, prefixed, request


def test_an_answer_is_copied_from_all_its_frames_while_it_passes() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, TAP) + request(1, b"m"))
    body = prefixed(b"answer")
    answer = wire.answer_headers(1) + padded_data(1, body[:6], 7) + data(1, body[6:])
    answer += wire.answer_trailers(1, 0)

    wire.runtime(answer)

    assert wire.for_client() == answer
    assert wire.events() == [RequestSeen(1, TAP, b"m"), Answered(1, b"answer", 0)]


def test_an_answer_without_a_message_has_its_status() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, TAP) + request(1, b"m"))
    wire.events()

    wire.runtime(wire.answer_trailers(1, 16))

    assert wire.events() == [Answered(1, None, 16)]


def test_an_answer_that_cannot_be_read_is_told_without_its_message() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, TAP) + request(1, b"m"))
    wire.events()

    wire.runtime(wire.answer_headers(1) + data(1, b"\x01\0\0\0\x01z") + wire.answer_trailers(1))

    assert wire.events() == [Overlooked("answer_compressed", TAP), Answered(1, None, 0)]


def test_statuses_are_read_although_other_streams_are_not_looked_at() -> None:
    wire = Wire()
    for stream_id in range(1, 41, 2):
        path = TAP if stream_id % 3 == 0 else PASS
        wire.client(wire.request_headers(stream_id, path) + request(stream_id, b"m"))
    wire.events()

    for stream_id in range(1, 41, 2):
        wire.runtime(wire.answer_headers(stream_id) + wire.answer_trailers(stream_id, stream_id))

    expected = [Answered(number, None, number) for number in range(1, 41, 2) if number % 3 == 0]
    assert wire.events() == expected
    assert wire.counters.in_flight == 0


def test_a_call_is_over_when_the_runtime_ends_it_even_by_data_or_reset() -> None:
    wire = Wire()
    for stream_id in (1, 3, 5):
        wire.client(wire.request_headers(stream_id, PASS, ends=True))
    assert wire.counters.in_flight == 3

    wire.runtime(data(1, b"x", ends=True) + rst_stream(3, 2) + wire.answer_trailers(5))

    assert wire.counters.in_flight == 0


def test_calls_beyond_a_goaway_are_over() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, PASS, ends=True))
    wire.client(wire.request_headers(3, HOLD) + request(3, b"held"))

    wire.runtime(goaway(1))

    assert wire.events() == [RequestHeld(3, HOLD, b"held"), Answered(3, None, None)]
    assert wire.counters.in_flight == 1
    assert not wire.relay.release(3)


def test_a_table_that_the_runtime_allows_is_followed_on_the_clients_side() -> None:
    wire = Wire()
    wire.runtime(b"\0\0\x06\x04\0\0\0\0\0" + struct.pack(">HL", 1, 20_000))
    wire.client_headers.header_table_size = 20_000

    wire.client(wire.request_headers(1, TAP) + request(1, b"m"))

    assert wire.events() == [RequestSeen(1, TAP, b"m")]
