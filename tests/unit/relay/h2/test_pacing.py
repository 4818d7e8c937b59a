from __future__ import annotations

import pytest

from nsledger.relay.h2.flow_control import Pacer
from tests.http2_wire import frames


def test_without_a_debt_the_client_answers_for_the_window_itself() -> None:
    pacer = Pacer()

    assert pacer.consume(70_000)
    assert pacer.window == 65_535 - 70_000


def test_with_a_debt_nothing_passes_that_the_runtime_did_not_grant() -> None:
    pacer = Pacer()
    pacer.defer(10)

    assert pacer.consume(65_535)
    assert not pacer.consume(1)


def test_a_debt_is_paid_out_of_what_the_runtime_grants() -> None:
    pacer = Pacer()
    pacer.defer(100)

    assert pacer.grant(60, 0) == 0
    assert pacer.grant(60, 0) == 20
    assert pacer.grant(60, 0) == 60
    assert pacer.window == 65_535 + 180


def test_less_sent_than_received_is_due_to_the_client_at_once() -> None:
    pacer = Pacer()
    pacer.defer(30)

    assert pacer.defer(-100) == 70
    assert pacer.deficit == 0


def test_queued_data_keeps_to_both_windows_and_to_the_frame_size() -> None:
    pacer = Pacer()
    pacer.set_initial_window(20_000)
    pacer.follow(1)
    sent = frames(b"".join(pacer.send(1, [bytes(50_000)], ends=True)))

    assert [len(body) for *_, body in sent] == [16_384, 3_616]
    assert pacer.take() == []

    assert pacer.grant(30_000, 1) == 30_000
    sent = frames(b"".join(pacer.take()))
    assert [len(body) for *_, body in sent] == [16_384, 13_616]
    assert [flags for _, _, flags, _ in sent] == [frozenset(), frozenset({"END_STREAM"})]
    assert 1 not in pacer


def test_a_changed_initial_window_moves_followed_streams() -> None:
    pacer = Pacer()
    pacer.follow(1)
    pacer.set_initial_window(10)
    assert len(b"".join(pacer.send(1, [bytes(100)], ends=False))) == 9 + 10

    pacer.set_initial_window(5)
    pacer.grant(5, 1)
    assert pacer.take() == []
    pacer.set_initial_window(1000)

    assert len(b"".join(pacer.take())) == 9 + 90


def test_a_request_that_fits_goes_in_one_frame_and_is_over() -> None:
    pacer = Pacer()
    pacer.follow(1)

    sent = frames(b"".join(pacer.send(1, [bytes(100)], ends=True)))

    assert sent == [("DataFrame", 1, frozenset({"END_STREAM"}), bytes(100))]
    assert pacer.window == 65_535 - 100
    assert 1 not in pacer


@pytest.mark.parametrize(("connection", "stream"), [(99, 1000), (1000, 99)])
def test_a_small_request_keeps_to_both_windows_as_well(connection: int, stream: int) -> None:
    pacer = Pacer()
    pacer.window = connection
    pacer.set_initial_window(stream)
    pacer.follow(1)

    sent = frames(b"".join(pacer.send(1, [bytes(100)], ends=True)))

    assert sent == [("DataFrame", 1, frozenset(), bytes(99))]
    assert pacer.queued_bytes == 1


def test_a_small_request_does_not_take_the_window_from_one_that_waits() -> None:
    pacer = Pacer()
    pacer.window = 0
    pacer.send(1, [bytes(100)], ends=True)
    pacer.window = 150

    order = [
        stream_id for _, stream_id, _, _ in frames(b"".join(pacer.send(3, [bytes(100)], ends=True)))
    ]

    assert order == [1, 3]


def test_streams_take_turns() -> None:
    pacer = Pacer()
    pacer.window = 0
    assert pacer.send(1, [bytes(40_000)], ends=True) == []
    assert pacer.send(3, [bytes(20_000)], ends=True) == []
    pacer.grant(60_000, 0)

    order = [stream_id for _, stream_id, _, _ in frames(b"".join(pacer.take()))]

    assert order == [1, 3, 1, 3, 1]


def test_an_end_without_data_needs_no_window() -> None:
    pacer = Pacer()
    pacer.window = 0

    assert frames(b"".join(pacer.send(1, [b""], ends=True))) == [
        ("DataFrame", 1, frozenset({"END_STREAM"}), b"")
    ]


def test_what_is_forgotten_is_counted() -> None:
    pacer = Pacer()
    pacer.window = 10
    pacer.send(1, [bytes(100)], ends=True)

    assert pacer.waits(1)
    assert pacer.forget(1) == 90
    assert pacer.queued_bytes == 0
    assert not pacer.waits(1)
