"""`nsledger serve` as a service: what systemd hears, what Prometheus reads, what idling costs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.model.events import PodRequested
from tests.integration.fake_runtime import FakeRuntime, Script
from tests.integration.relaying import channel
from tests.patience import soonest
from tests.serving import (
    CREATE_CONTAINER,
    EVENTS,
    RUN_POD_SANDBOX,
    VERSION,
    Daemon,
    create_container,
    cri_runtime,
    run_pod_sandbox,
)


@pytest.fixture
def runtime(room: str) -> Iterator[FakeRuntime]:
    with cri_runtime(f"{room}/runtime.sock") as runtime:
        yield runtime


@pytest.fixture
def manager(room: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{room}/notify")
        sock.settimeout(20)
        yield sock


def heard(manager: socket.socket) -> dict[str, str]:
    lines = manager.recv(1000).decode().splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def scraped(path: str) -> dict[str, float]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = b""
        while data := sock.recv(1 << 16):
            answer += data
    body = answer.partition(b"\r\n\r\n")[2].decode()
    lines = [line.rpartition(" ") for line in body.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_systemd_hears_that_it_serves_lives_is_replaced_and_leaves(
    room: str, runtime: FakeRuntime, manager: socket.socket
) -> None:
    daemon = Daemon(room, runtime.path)
    environment = {"NOTIFY_SOCKET": f"{room}/notify"}
    try:
        daemon.start(**environment, WATCHDOG_USEC="400000")
        first = daemon.running[-1]
        ready = {"READY": "1", "STATUS": f"relaying {daemon.socket}"}
        words: list[dict[str, str]] = []
        while ready not in words or words.count({"WATCHDOG": "1"}) < 3:
            words.append(heard(manager))

        second = daemon.spawn("--take-over", **environment)
        said: list[dict[str, str]] = []
        while not any("READY" in word for word in said) or not any("MAINPID" in w for w in said):
            said.append(heard(manager))
        assert {"MAINPID": str(second.pid), "STATUS": "handed over"} in said
        assert first.wait(20) == 0
        assert "STOPPING" not in {key for word in said for key in word}

        second.send_signal(signal.SIGTERM)
        while (word := heard(manager)) == {"WATCHDOG": "1"}:
            pass
        assert word == {"STOPPING": "1", "STATUS": "ending calls"}
        assert second.wait(20) == 0
    finally:
        daemon.__exit__(None, None, None)


def test_the_times_of_a_call_are_told_apart_by_method_the_shims_and_the_runtimes(
    room: str, runtime: FakeRuntime
) -> None:
    runtime.scripts[VERSION] = Script(delay_s=0.3)
    version, pod = f'{{method="{VERSION}"}}', f'{{method="{RUN_POD_SANDBOX}"}}'
    path = f"{room}/metrics.sock"
    with (
        Daemon(room, runtime.path, metrics_listen=path) as daemon,
        channel(daemon.socket) as opened,
    ):
        opened.unary(VERSION)(b"v", timeout=10)
        opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox("web"), timeout=10)
        daemon.wait_for("metrics", lambda: os.path.exists(path))
        # The client may have its answer a moment before the relay has counted it.
        timed = f"nsledger_call_own_seconds_count{pod}"
        daemon.wait_for("the call's time", lambda: scraped(path)[timed] == 1)

        found = scraped(path)

    assert found[f"nsledger_calls_total{version}"] == 1
    assert found[f"nsledger_call_runtime_seconds_count{version}"] == 1
    assert found[f"nsledger_call_runtime_seconds_sum{version}"] >= 0.3
    assert 0 < found[f"nsledger_call_own_seconds_sum{version}"] < 0.3
    assert found[f"nsledger_call_own_seconds_count{pod}"] == 1
    assert found[f"nsledger_method_calls_in_flight{pod}"] == 0
    assert found["nsledger_connections_open"] == 1
    assert found["nsledger_records_total"] >= 2
    assert not os.path.exists(path)


@pytest.mark.parametrize("annotate", ["true", "false"])
def test_without_annotations_every_request_arrives_as_the_bytes_it_was(
    annotate: str, room: str, runtime: FakeRuntime
) -> None:
    daemon = Daemon(room, runtime.path)
    asked = {RUN_POD_SANDBOX: run_pod_sandbox("web"), CREATE_CONTAINER: create_container("app")}
    try:
        daemon.start(NSLEDGER_ANNOTATE=annotate)
        with channel(daemon.socket) as opened:
            for path, request in asked.items():
                opened.unary(path)(request, timeout=30)
    finally:
        daemon.stop()

    arrived = {seen.path: b"".join(seen.requests) for seen in runtime.seen}
    same = [arrived[path] == request for path, request in asked.items()]
    assert same == [annotate == "false"] * 2
    assert any(isinstance(record.event, PodRequested) for record in daemon.records())


def test_a_successor_has_the_metrics_address(room: str, runtime: FakeRuntime) -> None:
    path = f"{room}/metrics.sock"
    with Daemon(room, runtime.path, metrics_listen=path) as daemon:
        daemon.wait_for("metrics", lambda: os.path.exists(path))
        before = daemon.take_over()
        assert before.wait(20) == 0

        daemon.wait_for("metrics", lambda: os.path.exists(path))
        assert scraped(path)["nsledger_ledger_failing"] == 0


def test_an_idle_daemon_costs_no_processor_time(room: str, runtime: FakeRuntime) -> None:
    told = {"metrics_listen": f"{room}/metrics.sock", "reconcile_interval_s": 0}
    with Daemon(room, runtime.path, **told) as daemon, channel(daemon.socket) as opened:
        opened.unary(VERSION)(b"v", timeout=10)
        time.sleep(1)

        def ticks() -> int:
            before = cpu_ticks(daemon.pid)
            time.sleep(3)
            return cpu_ticks(daemon.pid) - before

        # A tick is 10 ms. The witness looks into the spool twice a second.
        assert soonest(ticks, enough=2) <= 1


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1])


def test_who_reads_slowly_never_makes_the_daemon_grow(room: str, runtime: FakeRuntime) -> None:
    message = b"e" * 100_000
    runtime.scripts[EVENTS] = Script(answers=[message] * 2000)  # 200 MB
    streams = 8
    with Daemon(room, runtime.path) as daemon, channel(daemon.socket) as opened:
        daemon.wait_for("its start", lambda: "daemon.started" in daemon.log.read_text())
        opened.unary(VERSION)(b"v", timeout=10)
        time.sleep(1)
        before_kib = resident_kib(daemon.pid)

        slow = [opened.stream(EVENTS)(b"") for _ in range(streams)]
        most_kib = before_kib
        for _ in range(20):
            for stream in slow:
                assert next(stream) == message
            time.sleep(0.1)
            most_kib = max(most_kib, resident_kib(daemon.pid))
        for stream in slow:
            stream.cancel()

        # What is on its way is in the sockets' buffers and in the peers' windows.
        assert most_kib - before_kib < 8 << 10
