from __future__ import annotations

from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.frames import ACK, LAST_STREAM_ID, PING, PREFACE, SETTINGS, frame, goaway
from nsledger.relay.h2.requests import DRAIN_PING
from nsledger.relay.h2.streams import Answered, Limits, Unfollowed
from tests.http2_wire import HOLD, PASS, Wire, data, request

ASK = frame(PING, 0, 0, DRAIN_PING)
HEARD = frame(PING, ACK, 0, DRAIN_PING)


def test_a_client_that_leaves_has_its_running_calls_finished() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, PASS, ends=True))
    wire.for_runtime()

    wire.relay.go_away()
    assert wire.for_client() == goaway(LAST_STREAM_ID) + ASK
    wire.client(wire.request_headers(3, PASS, ends=True))  # it was on its way
    drained = [wire.relay.drained]
    wire.client(HEARD)
    drained.append(wire.relay.drained)
    wire.runtime(wire.answer_trailers(1) + wire.answer_trailers(3))
    drained.append(wire.relay.drained)

    assert drained == [False, False, True]
    assert b"nsledger" not in wire.for_runtime()


def test_the_farewell_waits_for_the_runtimes_settings() -> None:
    relay = RelayedConnection(lambda _: None, Counters())
    relay.receive_from_client(PREFACE)
    relay.go_away()
    assert relay.for_client == []

    relay.receive_from_runtime(frame(SETTINGS, 0, 0, b""))

    assert b"".join(relay.for_client) == frame(SETTINGS, 0, 0, b"") + goaway(LAST_STREAM_ID) + ASK


def test_a_second_goaway_never_names_a_higher_stream_than_the_runtimes() -> None:
    wire = Wire()
    wire.runtime(goaway(5))
    wire.for_client()

    wire.relay.go_away()

    assert wire.for_client() == ASK


def test_pings_between_the_peers_pass_while_a_farewell_is_on_its_way() -> None:
    wire = Wire()
    wire.relay.go_away()
    theirs = frame(PING, ACK, 0, b"12345678")

    wire.client(theirs + HEARD + HEARD)

    assert wire.for_runtime() == theirs + HEARD  # the second one was not asked for by the relay


def test_a_frame_is_not_cut_off_by_draining() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, PASS, ends=True))
    piece = data(1, bytes(100), ends=True)
    wire.runtime(piece[:50])
    wire.relay.go_away()
    wire.client(HEARD)
    drained = [wire.relay.drained]

    wire.runtime(piece[50:])

    drained.append(wire.relay.drained)
    assert drained == [False, True]
    assert wire.for_client() == piece + goaway(LAST_STREAM_ID) + ASK


def test_hanging_up_names_the_last_stream_that_was_served() -> None:
    wire = Wire()
    wire.client(wire.request_headers(7, PASS, ends=True))

    assert wire.relay.final_goaway() == goaway(7)
    wire.runtime(data(7, bytes(100))[:50])
    assert wire.relay.final_goaway() == b""


def test_closing_tells_every_watched_call() -> None:
    wire = Wire()
    wire.client(wire.request_headers(1, HOLD) + request(1, b"held"))
    wire.events()

    wire.relay.close()

    assert wire.events() == [Answered(1, None, None)]
    assert wire.counters.in_flight == 0


def test_under_fail_a_connection_that_cannot_be_followed_must_close() -> None:
    for refuses in (False, True):
        relay = RelayedConnection(lambda _: None, Counters(), Limits(refuse_unwatchable=refuses))
        relay.receive_from_client(b"GET / HTTP/1.1\r\n\r\n")

        assert relay.events == [Unfollowed("not_http2")]
        assert relay.must_close is refuses
