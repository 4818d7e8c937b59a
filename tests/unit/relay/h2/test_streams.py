from __future__ import annotations

from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.streams import Answered, Limits, Overlooked, Streams, Unfollowed
from tests.http2_wire import prefixed


def _streams() -> Streams:
    return Streams(Counters(), Limits(copied_message_bytes=100))


def test_a_stream_is_in_flight_until_it_ends_and_no_longer() -> None:
    streams = _streams()
    streams.begin(1, "/a")
    streams.begin(3, None)
    assert streams.counters.in_flight == 2

    streams.end(1)
    streams.end(1)

    assert streams.counters.in_flight == 1
    assert streams.counters.calls == {"/a": 1, "other": 1}


def test_an_answer_is_told_with_its_message_and_status() -> None:
    streams = _streams()
    streams.begin(1, "/a")
    streams.watch_answer(1, "/a")
    streams.answers[1].add(prefixed(b"answer"))
    streams.answers[1].grpc_status = 0

    streams.end(1)

    assert streams.events == [Answered(1, b"answer", 0)]


def test_an_answer_too_long_to_copy_is_told_without_it_and_said_to_be() -> None:
    streams = _streams()
    streams.begin(1, "/a")
    streams.watch_answer(1, "/a")
    streams.answers[1].add(prefixed(bytes(200)))
    streams.answers[1].grpc_status = 0

    streams.end(1)

    assert streams.events == [Overlooked("answer_oversized", "/a"), Answered(1, None, 0)]


def test_when_the_connection_closes_every_watched_call_is_over() -> None:
    streams = _streams()
    for stream_id in (1, 3):
        streams.begin(stream_id, "/a")
    streams.watch_answer(3, "/a")

    streams.close()

    assert streams.events == [Answered(3, None, None)]
    assert streams.counters.in_flight == 0


def test_what_is_no_longer_followed_is_remembered() -> None:
    streams = _streams()

    streams.unfollow("strange_frame")

    assert streams.unfollowed
    assert streams.events == [Unfollowed("strange_frame")]
