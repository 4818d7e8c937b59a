from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import msgspec
import pytest

from nsledger.model.record import Moment
from nsledger.relay.handover_protocol import (
    Batch,
    HandoverConnection,
    HandoverError,
    Kept,
    LetGo,
    Message,
    Offer,
    Serving,
    TakeOver,
    Told,
)

Two = tuple[HandoverConnection, HandoverConnection]


@pytest.fixture
def two() -> Iterator[Two]:
    ours, theirs = socket.socketpair()
    connections = HandoverConnection(ours), HandoverConnection(theirs)
    yield connections
    for connection in connections:
        connection.close()


def test_messages_arrive_as_they_were_said_however_many_come_at_once(two: Two) -> None:
    told = Told(at=Moment(1, 2, "boot"), event=msgspec.Raw(b'{"event":"gap","new":[1]}'))
    batch = Batch(told=(told,) * 3, sync=True)
    messages: list[Message] = [TakeOver(pid=7), Serving(), LetGo(), batch, Kept(error="no")]
    for message in messages:
        two[0].say(message)

    for message in messages:
        heard = two[1].hear(type(message), timeout_s=5)
        assert msgspec.json.encode(heard) == msgspec.json.encode(message)


def test_descriptors_come_along_and_are_not_inherited(two: Two) -> None:
    ours, theirs = os.pipe()
    two[0].say(Offer(pid=1, dev=2, ino=3), [ours, theirs])

    two[1].hear(Offer, timeout_s=5)

    received = two[1].descriptors
    os.write(received[1], b"through")
    assert os.read(ours, 100) == b"through"
    assert [os.get_inheritable(fd) for fd in received] == [False, False]
    for fd in (ours, theirs, *received):
        os.close(fd)


def test_another_word_than_the_expected_one_is_an_error(two: Two) -> None:
    two[0].say(LetGo())

    with pytest.raises(HandoverError, match="found LetGo; needed Serving"):
        two[1].hear(Serving, timeout_s=5)


def test_what_is_no_message_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b'{"type":"unheard of"}\n')
        with pytest.raises(HandoverError, match="needed Serving"):
            HandoverConnection(theirs).hear(Serving, timeout_s=5)


def test_an_end_in_the_middle_of_a_message_is_an_end() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(b'{"type":"serv')
        ours.close()

        with pytest.raises(ConnectionResetError):
            HandoverConnection(theirs).hear(Serving, timeout_s=5)


def test_silence_is_not_waited_out(two: Two) -> None:
    with pytest.raises(TimeoutError):
        two[0].hear(Serving, timeout_s=0.01)


def test_the_peer_is_known_by_its_user(two: Two) -> None:
    assert two[0].peer_uid == os.getuid()
