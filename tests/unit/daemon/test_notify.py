from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator

import pytest

from nsledger.daemon.notify import Notifier

PID = 42


@pytest.fixture
def manager() -> Iterator[tuple[socket.socket, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        address = f"{directory}/notify"
        sock.bind(address)
        sock.settimeout(5)
        yield sock, address


def test_the_manager_hears_one_datagram_with_a_line_for_each_assignment(
    manager: tuple[socket.socket, str],
) -> None:
    sock, address = manager

    Notifier.of({"NOTIFY_SOCKET": address}, PID).say(READY="1", STATUS="relaying")

    assert sock.recv(1000) == b"READY=1\nSTATUS=relaying"


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("")  # the kernel picks an abstract name
        sock.settimeout(5)
        address = "@" + sock.getsockname()[1:].decode()

        Notifier.of({"NOTIFY_SOCKET": address}, PID).alive()

        assert sock.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "@"}],
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier.of(environment | {"WATCHDOG_USEC": "1000000"}, PID)

    notifier.say(READY="1")


def test_a_manager_that_is_gone_or_does_not_read_costs_nothing(
    manager: tuple[socket.socket, str],
) -> None:
    _, address = manager
    Notifier("/nowhere/at/all").say(READY="1")

    for _ in range(1000):
        Notifier(address).alive()


@pytest.mark.parametrize(
    ("asked", "expected_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "42"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_told_twice_as_often_as_it_asks_if_it_asks_us(
    asked: dict[str, str], expected_s: float | None
) -> None:
    assert Notifier.of({"NOTIFY_SOCKET": "/run/x", **asked}, PID).watchdog_s == expected_s
