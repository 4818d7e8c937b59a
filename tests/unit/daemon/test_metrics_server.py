from __future__ import annotations

import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.daemon.metrics_server import MetricsServer
from tests.patience import soonest


@pytest.fixture
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory:
        yield Path(directory)


def get(address: str | tuple[str, int], target: str = "/metrics") -> bytes:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    deadline_s = time.monotonic() + 30
    while True:
        with socket.socket(family) as sock:
            try:
                sock.connect(address)
            except OSError:
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
                continue
            sock.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            while data := sock.recv(1 << 16):
                answer += data
            return answer


def test_metrics_are_served_on_a_socket_of_the_owners_alone_that_goes_in_the_end(
    room: Path,
) -> None:
    path = room / "metrics.sock"
    server = MetricsServer(str(path), lambda: b"answer 42\n")
    server.start()

    answers = [get(str(path)), get(str(path))]

    for answer in answers:
        assert answer.startswith(b"HTTP/1.0 200 ")
        assert b"\r\nContent-Type: text/plain; version=0.0.4" in answer
        assert answer.endswith(b"\r\n\r\nanswer 42\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b" 404 " in get(str(path), "/else").splitlines()[0]
    server.close()
    assert not path.exists()


def test_metrics_are_served_on_a_loopback_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = MetricsServer(f"127.0.0.1:{port}", lambda: b"answer 42\n")
    server.start()

    assert get(("127.0.0.1", port)).endswith(b"answer 42\n")

    server.close()


def test_an_address_that_is_taken_is_had_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsledger.daemon.metrics_server._AGAIN_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = MetricsServer(f"127.0.0.1:{port}", lambda: b"mine\n")
        server.start()
        time.sleep(0.1)

    assert get(("127.0.0.1", port)).endswith(b"mine\n")

    server.close()


def test_what_is_no_socket_is_not_removed(room: Path) -> None:
    path = room / "precious"
    path.write_text("data")
    server = MetricsServer(str(path), lambda: b"")
    server.start()
    time.sleep(0.05)

    server.close()

    assert path.read_text() == "data"


def answer_at(path: str) -> bytes:
    """What is answered there, if anybody listens."""
    try:
        return get(path)
    except OSError:
        return b""


def test_the_socket_of_a_successor_is_left_alone(room: Path) -> None:
    path = str(room / "metrics.sock")
    old, new = MetricsServer(path, lambda: b"old\n"), MetricsServer(path, lambda: b"new\n")
    old.start()
    assert get(path).endswith(b"old\n")
    new.start()
    while not answer_at(path).endswith(b"new\n"):
        time.sleep(0.01)

    old.close()

    assert get(path).endswith(b"new\n")
    new.close()


def test_a_scrape_that_fails_or_a_peer_that_says_nonsense_does_not_end_the_next(
    room: Path,
) -> None:
    path = str(room / "metrics.sock")
    failures = [ZeroDivisionError()]

    def scrape() -> bytes:
        if failures:
            raise failures.pop()
        return b"fine\n"

    server = MetricsServer(path, scrape)
    server.start()
    assert get(path) == b""
    with socket.socket(socket.AF_UNIX) as nonsense:
        nonsense.connect(path)
        nonsense.sendall(b"\0\r\n\r\n")

    assert get(path).endswith(b"fine\n")

    server.close()


def test_waiting_for_scrapes_costs_no_processor_time(room: Path) -> None:
    server = MetricsServer(str(room / "metrics.sock"), lambda: b"")
    server.start()
    get(str(room / "metrics.sock"))

    def costs_s() -> float:
        cpu_s = time.process_time()
        time.sleep(1.2)
        return time.process_time() - cpu_s

    assert soonest(costs_s, enough=0.02) < 0.02
    assert threading.active_count() > 1
    server.close()
