"""An upgrade under load: the next daemon takes over, and nobody notices, not even the ledger."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc
import pytest

from nsledger.ledger.verify import verify
from nsledger.model.events import DaemonStarted, DaemonStopped, Gap, PodRequested
from nsledger.state.coverage import Watch
from tests.integration.fake_runtime import FakeRuntime, Script, held_back
from tests.integration.relaying import Client, channel, wait_for
from tests.serving import EVENTS, RUN_POD_SANDBOX, VERSION, Daemon, cri_runtime, run_pod_sandbox

TAKE_OVERS = int(os.environ.get("NSLEDGER_TAKE_OVERS", "8"))
"""`NSLEDGER_TAKE_OVERS=100` takes some minutes."""
MESSAGES = 10


@dataclass
class Load:
    """What a kubelet does, over and over, until it is told to stop."""

    opened: Client
    asked: set[str] = field(default_factory=set[str])
    """Names of the pods whose RunPodSandbox was answered."""
    calls: int = 0
    streams: int = 0
    failed: list[str] = field(default_factory=list[str])
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __enter__(self) -> Self:
        for step in (self._version, self._version, self._pod, self._stream, self._stream):
            thread = threading.Thread(target=self._repeat, args=(step,))
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let the last calls end."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, step: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                step()
            except (grpc.RpcError, AssertionError) as error:
                self.failed.append(f"{step.__name__}: {error}")
            time.sleep(0.002)

    def _version(self) -> None:
        assert self.opened.unary(VERSION)(b"v", timeout=30) == b"v"
        self.calls += 1

    def _pod(self) -> None:
        name = f"pod-{next(self._numbers)}"
        self.opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox(name), timeout=30)
        self.asked.add(name)
        self.calls += 1

    def _stream(self) -> None:
        assert list(self.opened.stream(EVENTS)(b"", timeout=30)) == [b"e"] * MESSAGES
        self.streams += 1


@pytest.fixture
def runtime(room: str) -> Iterator[FakeRuntime]:
    with cri_runtime(f"{room}/runtime.sock") as runtime:
        runtime.scripts[EVENTS] = Script(answers=[b"e"] * MESSAGES, delay_s=0.1)
        yield runtime


@contextmanager
def serving(room: str, runtime: FakeRuntime, **told: object) -> Iterator[Daemon]:
    # A machine that is busy with other tests is no node: give the ledger time.
    with Daemon(room, runtime.path, **{"hold_limit_s": 5.0, **told}) as daemon:
        yield daemon


@pytest.mark.fault
def test_no_call_fails_and_no_record_is_lost_however_often_the_daemon_is_replaced(
    room: str, runtime: FakeRuntime
) -> None:
    with (
        serving(room, runtime, failure_policy="fail") as daemon,
        channel(daemon.socket) as opened,
        Load(opened) as load,
    ):
        for _ in range(TAKE_OVERS):
            before = daemon.take_over()
            assert before.wait(30) == 0
        load.stop()
        assert daemon.stop() == 0

        assert load.failed == []
        assert load.streams >= TAKE_OVERS
        assert load.calls > 10 * TAKE_OVERS
        assert verify(str(daemon.ledger)).unfinished_bytes == 0
        records = daemon.records()
        named = [
            record.event.pod.name for record in records if isinstance(record.event, PodRequested)
        ]
        assert len(named) == len(set(named))
        assert load.asked <= set(named)
        assert not [record for record in records if isinstance(record.event, Gap)]
        started = [record for record in records if isinstance(record.event, DaemonStarted)]
        assert len(started) == TAKE_OVERS + 1
        watch = Watch()
        assert [hole for record in records if (hole := watch.apply(record))] == []


@pytest.mark.fault
def test_what_is_kept_ahead_of_the_ledger_changes_hands_with_it() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory,
        cri_runtime(f"{memory}/runtime.sock") as runtime,
        serving(memory, runtime) as daemon,
        channel(daemon.socket) as opened,
    ):
        runtime.scripts[EVENTS] = Script(answers=[b"e"] * MESSAGES, delay_s=0.1)
        with Load(opened) as load:
            for _ in range(3):
                assert daemon.take_over().wait(30) == 0
        assert daemon.stop() == 0

        assert load.failed == []
        events = [record.event for record in daemon.records()]
        named = [event.pod.name for event in events if isinstance(event, PodRequested)]
        assert sorted(named) == sorted(load.asked)
        assert not [event for event in events if isinstance(event, Gap)]
        assert not list(Path(memory).glob("ahead-*"))


@pytest.mark.fault
def test_a_long_stream_ends_on_the_old_daemon_while_the_new_one_serves(
    room: str, runtime: FakeRuntime
) -> None:
    runtime.scripts[EVENTS], let_go = held_back([b"e"] * 15, after=1)
    with serving(room, runtime) as daemon, channel(daemon.socket) as opened:
        stream = opened.stream(EVENTS)(b"")
        assert next(stream) == b"e"

        before = daemon.take_over()

        assert opened.unary(VERSION)(b"v", timeout=30) == b"v"
        assert before.poll() is None
        let_go.set()
        assert list(stream) == [b"e"] * 14
        assert before.wait(30) == 0


@pytest.mark.fault
def test_the_old_daemon_ends_at_its_bound_however_long_a_stream_is(
    room: str, runtime: FakeRuntime
) -> None:
    runtime.scripts[EVENTS] = Script(answers=[b"e"] * 600, delay_s=0.1)
    with serving(room, runtime, drain_timeout_s=0.5) as daemon, channel(daemon.socket) as opened:
        stream = opened.stream(EVENTS)(b"")
        assert next(stream) == b"e"

        assert daemon.take_over().wait(30) == 0

        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.fault
def test_what_becomes_of_the_old_daemons_last_calls_is_told_by_the_new_one(
    room: str, runtime: FakeRuntime
) -> None:
    answer = runtime.scripts[RUN_POD_SANDBOX].answers
    runtime.scripts[RUN_POD_SANDBOX], let_go = held_back(answer)
    with serving(room, runtime) as daemon, channel(daemon.socket) as opened:
        call = opened.unary(RUN_POD_SANDBOX).future(run_pod_sandbox("late"), timeout=30)
        wait_for(lambda: any(seen.path == RUN_POD_SANDBOX for seen in runtime.seen))

        before = daemon.take_over()
        daemon.wait_for(
            "the ledger in new hands",
            lambda: any(isinstance(one.event, DaemonStopped) for one in daemon.records()),
        )
        opened.unary(VERSION)(b"v", timeout=30)
        let_go.set()
        assert call.result(30)

        assert before.wait(30) == 0
        assert daemon.stop() == 0
        names = [record.event.__struct_config__.tag for record in daemon.records()]
        assert [name for name in names if not str(name).startswith("ledger.")] == [
            "daemon.started",
            "pod.requested",
            "daemon.stopped",
            "daemon.started",
            *(name for name in names if name == "gap"),  # its runtime has no status to tell
            "pod.assigned",
            "daemon.stopped",
        ]


@pytest.mark.fault
def test_without_the_flag_a_second_daemon_refuses_before_and_after_a_take_over(
    room: str, runtime: FakeRuntime
) -> None:
    with serving(room, runtime) as daemon, channel(daemon.socket) as opened:
        for _ in range(2):
            second = daemon.spawn()
            assert second.wait(30) != 0
            daemon.running.pop()
            assert "another nsledger serves it" in daemon.log.read_text()
            daemon.log.write_text("")
            assert opened.unary(VERSION)(b"v", timeout=30) == b"v"
            assert daemon.take_over().wait(30) == 0


@pytest.mark.fault
def test_where_nobody_serves_a_take_over_is_a_start(room: str, runtime: FakeRuntime) -> None:
    daemon = Daemon(room, runtime.path)
    with channel(daemon.socket) as opened:
        daemon.start("--take-over")
        try:
            assert opened.unary(VERSION)(b"v", timeout=30, wait_for_ready=True) == b"v"
            assert daemon.stop() == 0
        finally:
            daemon.__exit__(None, None, None)
    assert not os.path.exists(daemon.socket)
    assert not os.path.exists(f"{daemon.socket}.control")


@pytest.mark.fault
def test_a_successor_that_dies_before_it_serves_changes_nothing(
    room: str, runtime: FakeRuntime
) -> None:
    with serving(room, runtime) as daemon, channel(daemon.socket) as opened:
        broken = daemon.spawn(
            "--take-over", "--ledger", "/dev/null/no", "--upstream", daemon.socket
        )
        assert broken.wait(30) != 0
        daemon.running.pop()

        assert opened.unary(VERSION)(b"v", timeout=30) == b"v"
        assert daemon.take_over().wait(30) == 0
        assert opened.unary(VERSION)(b"v", timeout=30) == b"v"


@pytest.mark.fault
def test_if_the_successor_is_killed_the_old_daemon_records_its_last_calls_itself(
    room: str, runtime: FakeRuntime
) -> None:
    answer = runtime.scripts[RUN_POD_SANDBOX].answers
    runtime.scripts[RUN_POD_SANDBOX], let_go = held_back(answer)
    with serving(room, runtime) as daemon, channel(daemon.socket) as opened:
        call = opened.unary(RUN_POD_SANDBOX).future(run_pod_sandbox("late"), timeout=30)
        wait_for(lambda: any(seen.path == RUN_POD_SANDBOX for seen in runtime.seen))
        before = daemon.take_over()

        daemon.kill()

        let_go.set()
        assert call.result(30)
        assert before.wait(30) == 0
        names = [record.event.__struct_config__.tag for record in daemon.records()]
        assert "pod.assigned" in names
        assert verify(str(daemon.ledger)).unfinished_bytes == 0


@pytest.mark.fault
def test_sighup_replaces_the_daemon_by_the_program_as_it_is_on_the_disk_now(
    room: str, runtime: FakeRuntime
) -> None:
    daemon = Daemon(room, runtime.path)
    daemon.start(WATCHDOG_PID="1", WATCHDOG_USEC="30000000")
    daemon.wait_for("its start", lambda: "daemon.started" in daemon.log.read_text())
    with channel(daemon.socket) as opened:
        daemon.running[-1].send_signal(signal.SIGHUP)
        assert daemon.running[-1].wait(30) == 0

        assert opened.unary(VERSION)(b"v", timeout=30) == b"v"

    started = [r.event for r in daemon.records() if isinstance(r.event, DaemonStarted)]
    assert [event.predecessor_pid for event in started] == [0, daemon.pid]
    environment = Path(f"/proc/{started[-1].pid}/environ").read_text()
    assert "WATCHDOG_USEC=30000000" in environment
    assert "WATCHDOG_PID" not in environment
    os.kill(started[-1].pid, signal.SIGTERM)
    daemon.wait_for(
        "its end",
        lambda: isinstance(daemon.records()[-1].event, DaemonStopped),
    )
