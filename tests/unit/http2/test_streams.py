from __future__ import annotations

import pytest

from nsledger.http2.counters import Counters
from nsledger.http2.events import Answered, Overlooked, Unfollowed
from nsledger.http2.messages import UnreadableMessageError, prefixed
from nsledger.http2.streams import BodyCopy, HeldBody, Limits, Streams


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
    streams.answers[1].body.add(prefixed(b"answer"))
    streams.answers[1].grpc_status = 0

    streams.end(1)

    assert streams.events == [Answered(1, b"answer", 0)]


def test_an_answer_too_long_to_copy_is_told_without_it_and_said_to_be() -> None:
    streams = _streams()
    streams.begin(1, "/a")
    streams.watch_answer(1, "/a")
    streams.answers[1].body.add(prefixed(bytes(200)))
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


def test_a_copy_holds_no_more_than_its_limit() -> None:
    copy = BodyCopy(10)
    for _ in range(1000):
        copy.add(b"12345")

    assert sum(map(len, copy.chunks)) <= 10
    with pytest.raises(UnreadableMessageError, match="oversized"):
        copy.message()


@pytest.mark.parametrize(
    ("pieces", "ends", "reason"),
    [
        ([prefixed(bytes(20))], True, None),
        ([b"\0", b"\0\0\0\x02", b"a"], False, None),
        ([b"\0\0\0"], False, None),
        ([prefixed(bytes(21))], True, "oversized"),
        ([b"\0\0\0\0\x15"], False, "oversized"),
        ([b"\0\0\0\x00\x02abc"], False, "malformed"),
        ([b"\0\0\0\x00\x02a"], True, "malformed"),
        ([b"\0\0"], True, "malformed"),
        ([b""], True, "malformed"),
        ([b"\x01\0\0\0\x02a"], False, "compressed"),
    ],
)
def test_a_held_body_is_checked_as_early_as_can_be(
    pieces: list[bytes], ends: bool, reason: str | None
) -> None:
    body = HeldBody()
    for piece in pieces[:-1]:
        body.add(piece, ends=False)
        body.check(20)
    body.add(pieces[-1], ends=ends)

    if reason is None:
        body.check(20)
    else:
        with pytest.raises(UnreadableMessageError, match=reason):
            body.check(20)
