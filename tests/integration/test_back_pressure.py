"""What one side does not read, the relay does not read from the other. Raw sockets, no peers."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from nsledger.relay.h2.frames import DATA, PREFACE, frame
from tests.integration.relaying import Running, relaying, wait_for

PIECE = frame(DATA, 0, 1, bytes(16_384))


@contextlib.contextmanager
def wire(room: str) -> Iterator[tuple[socket.socket, socket.socket, Running]]:
    """A client's and a runtime's end of one relayed connection."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{room}/runtime.sock")
        server.listen()
        with (
            relaying(room, f"{room}/runtime.sock") as running,
            socket.socket(socket.AF_UNIX) as client,
        ):
            client.settimeout(30)
            client.connect(running.path)
            runtime, _ = server.accept()
            with runtime:
                runtime.settimeout(30)
                yield client, runtime, running


def _push(sock: socket.socket, limit_bytes: int) -> int:
    """Send until nothing is taken any more for a while; returns how much was."""
    sock.settimeout(0.3)
    pushed = 0
    with contextlib.suppress(TimeoutError):
        while pushed < limit_bytes:
            pushed += sock.send(PIECE)
    return pushed


def _read(sock: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    left = size
    while left:
        data = sock.recv(min(left, 1 << 16))
        assert data, "closed too early"
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _direct_room(limit_bytes: int) -> int:
    """What two sockets alone take from one side while the other reads nothing."""
    one, other = socket.socketpair()
    with one, other:
        return _push(one, limit_bytes)


def test_a_client_that_does_not_read_never_makes_the_relay_grow(room: str) -> None:
    limit_bytes = 100 << 20
    with wire(room) as (client, runtime, running):
        client.sendall(PREFACE)

        pushed = _push(runtime, limit_bytes)

        # Two pairs of sockets hold what they hold; the relay itself one read.
        assert pushed < 2 * _direct_room(limit_bytes) + (512 << 10)
        runtime.settimeout(30)
        received = _read(client, pushed - pushed % len(PIECE))
        assert received == PIECE * (pushed // len(PIECE))
        assert running.relay.counters.runtime_bytes == pushed


def test_a_runtime_that_does_not_read_never_makes_the_relay_grow(room: str) -> None:
    limit_bytes = 100 << 20
    with wire(room) as (client, runtime, _):
        client.sendall(PREFACE)
        assert _read(runtime, len(PREFACE)) == PREFACE

        pushed = _push(client, limit_bytes)

        assert pushed < 2 * _direct_room(limit_bytes) + (512 << 10)
        assert _read(runtime, len(PIECE)) == PIECE


def test_a_stalled_direction_does_not_stop_the_other_one(room: str) -> None:
    with wire(room) as (client, runtime, _):
        client.sendall(PREFACE)
        assert _read(runtime, len(PREFACE)) == PREFACE
        _push(runtime, 100 << 20)

        client.sendall(PIECE)

        assert _read(runtime, len(PIECE)) == PIECE


def _ticks(running: Running) -> int:
    """CPU time of the relay's thread, in hundredths of a second."""
    with open(f"/proc/self/task/{running.thread.native_id}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_stalled_connection_costs_no_cpu(room: str) -> None:
    with wire(room) as (client, runtime, running):
        client.sendall(PREFACE)
        _push(runtime, 100 << 20)
        before = _ticks(running)

        time.sleep(0.5)

        assert _ticks(running) - before <= 1


def test_a_client_that_hung_up_on_a_stalled_runtime_costs_no_cpu(room: str) -> None:
    with wire(room) as (client, _runtime, running):
        client.sendall(PREFACE)
        _push(client, 100 << 20)
        client.close()
        time.sleep(0.1)
        before = _ticks(running)

        time.sleep(0.5)

        assert _ticks(running) - before <= 1


def test_what_a_client_sent_before_it_hung_up_still_arrives(room: str) -> None:
    with wire(room) as (client, runtime, running):
        client.sendall(PREFACE + PIECE * 10)

        client.close()

        assert _read(runtime, len(PREFACE) + 10 * len(PIECE)) == PREFACE + PIECE * 10
        assert runtime.recv(1) == b""
        wait_for(lambda: running.relay.counters.connections_open == 0)


def test_what_the_runtime_sent_before_it_hung_up_still_arrives(room: str) -> None:
    with wire(room) as (client, runtime, running):
        client.sendall(PREFACE)
        assert _read(runtime, len(PREFACE)) == PREFACE
        pushed = _push(runtime, 600_000)

        runtime.close()

        assert _read(client, pushed) == (PIECE * (pushed // len(PIECE) + 1))[:pushed]
        assert client.recv(1) == b""
        wait_for(lambda: running.relay.counters.connections_open == 0)


def test_a_half_closed_client_still_gets_its_answer(room: str) -> None:
    with wire(room) as (client, runtime, running):
        client.sendall(PREFACE)
        client.shutdown(socket.SHUT_WR)
        assert _read(runtime, len(PREFACE)) == PREFACE
        assert runtime.recv(1) == b""

        runtime.sendall(PIECE)

        assert _read(client, len(PIECE)) == PIECE
        runtime.close()
        assert client.recv(1) == b""
        wait_for(lambda: running.relay.counters.connections_open == 0)


def test_a_half_closed_runtime_still_gets_requests(room: str) -> None:
    with wire(room) as (client, runtime, running):
        runtime.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""

        client.sendall(PREFACE)

        assert _read(runtime, len(PREFACE)) == PREFACE
        client.close()
        assert runtime.recv(1) == b""
        wait_for(lambda: running.relay.counters.connections_open == 0)


def test_what_is_not_http2_is_copied_and_said_to_be(room: str) -> None:
    with wire(room) as (client, runtime, running):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _read(runtime, 18) == b"GET / HTTP/1.1\r\n\r\n"

        runtime.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        assert _read(client, 28) == b"HTTP/1.1 400 Bad Request\r\n\r\n"
        assert running.relay.counters.overlooked == {"not_http2": 1}
