from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from nsledger.relay.connection import Endpoint


@pytest.fixture
def pair() -> Iterator[tuple[Endpoint, socket.socket, select.epoll]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(30)
    epoll = select.epoll()
    endpoint = Endpoint(ours, epoll)
    yield endpoint, theirs, epoll
    endpoint.close()
    theirs.close()
    epoll.close()


Pair = tuple[Endpoint, socket.socket, select.epoll]


def test_what_the_socket_does_not_take_waits_and_keeps_its_order(pair: Pair) -> None:
    endpoint, theirs, epoll = pair
    pieces = [bytes([number]) * 100_000 for number in range(20)]

    for piece in pieces:
        chunks = [piece[:10], piece[10:]]
        endpoint.send(chunks)
        assert chunks == []

    assert endpoint.unsent
    endpoint.watch(reading=False)
    received = bytearray()
    while len(received) < 2_000_000:
        received += theirs.recv(65_536)
        if epoll.poll(0):
            endpoint.flush()
    assert received == b"".join(pieces)
    assert not endpoint.unsent


def test_a_peer_that_is_gone_costs_neither_an_error_nor_memory(pair: Pair) -> None:
    endpoint, theirs, _ = pair
    theirs.close()

    for _ in range(100):
        endpoint.send([bytes(100_000)])

    assert endpoint.broken
    assert not endpoint.unsent
    assert endpoint.receive() == b""
    assert endpoint.ended
    endpoint.shut_down()


def test_an_empty_socket_gives_nothing_and_has_not_ended(pair: Pair) -> None:
    endpoint, theirs, _ = pair
    seen = [(endpoint.receive(), endpoint.ended)]

    theirs.shutdown(socket.SHUT_WR)

    seen.append((endpoint.receive(), endpoint.ended))
    assert seen == [(b"", False), (b"", True)]
    assert not endpoint.hung_up


def test_epoll_is_told_what_there_is_to_wait_for_and_nothing_else(pair: Pair) -> None:
    endpoint, theirs, epoll = pair
    theirs.send(b"x")
    assert epoll.poll(0) == []

    endpoint.watch(reading=True)
    assert epoll.poll(0) == [(endpoint.fd, select.EPOLLIN)]
    endpoint.watch(reading=False)
    assert epoll.poll(0) == []

    theirs.close()
    assert epoll.poll(0)
    endpoint.unwatch()
    endpoint.unwatch()
    assert epoll.poll(0) == []


def test_a_reset_is_an_end(pair: Pair) -> None:
    endpoint, theirs, _ = pair
    with contextlib.suppress(BlockingIOError):
        endpoint.send([b"unread"])
    theirs.close()  # with something unread: the other end gets ECONNRESET

    assert endpoint.receive() == b""
    assert endpoint.ended
