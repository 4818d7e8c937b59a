"""Whatever goes wrong with the audit, the kubelet's calls pass, within the hold limit, unchanged.

With `failure_policy = "fail"` a call that should be on record and is not is refused instead. The
daemon here is the real one, in front of a scripted runtime; where pods really start, tests/node.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import RUNTIME_SERVICE
from nsledger.ledger.verify import verify
from nsledger.model.events import ContainerRequested, Gap, PodRequested
from tests.integration.fake_runtime import FakeRuntime, Script
from tests.integration.relaying import Client, channel
from tests.patience import soonest, usual
from tests.serving import (
    CREATE_CONTAINER,
    RUN_POD_SANDBOX,
    VERSION,
    Daemon,
    create_container,
    cri_runtime,
    run_pod_sandbox,
)

HOLD_LIMIT_S = 0.1
SLACK_S = 0.15
"""For a machine with other tests on it: the direct call and the way through two processes."""
NO_HANG_S = 3.0
"""What no single call may take, busy machine or not: whatever hangs here does so for longer."""
HANGS_S = 30
PODS = 12


@pytest.fixture
def runtime(room: str) -> Iterator[FakeRuntime]:
    with cri_runtime(f"{room}/runtime.sock") as runtime:
        yield runtime


@pytest.fixture
def small_disk(room: str) -> Iterator[Path]:
    disk = Path(room) / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


SMALL_DISK_LIMITS = {
    "disk_warn_free_bytes": 0,
    "disk_prune_free_bytes": 0,
    "disk_stop_free_bytes": 32 << 10,
    "disk_reserve_bytes": 16 << 10,
}
"""What is little room on a disk of 1 MiB."""


@contextmanager
def serving(room: str, runtime: FakeRuntime, **told: object) -> Iterator[tuple[Daemon, Client]]:
    told = SMALL_DISK_LIMITS | told
    with Daemon(room, runtime.path, **told) as daemon, channel(daemon.socket) as opened:
        warm_up(opened)
        yield daemon, opened


def warm_up(opened: Client) -> None:
    assert opened.unary(VERSION)(b"v", timeout=30, wait_for_ready=True) == b"v"


def asks_for_pods(opened: Client, *, since: int = 0) -> tuple[list[str], float]:
    """Run pods one after another; their names, and how long an answer usually took."""
    names = [f"pod-{since + number}" for number in range(PODS)]
    took_s: list[float] = []
    for name in names:
        began_s = time.monotonic()
        opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox(name), timeout=30)
        took_s.append(time.monotonic() - began_s)
    assert max(took_s) < NO_HANG_S
    return names, usual(took_s)


def version_takes_s(opened: Client) -> float:
    began_s = time.monotonic()
    opened.unary(VERSION)(b"v", timeout=30)
    return time.monotonic() - began_s


def assert_refused(opened: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox("refused"), timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    # What is not recorded is not held up either.
    assert opened.unary(VERSION)(b"v", timeout=30) == b"v"


def use_up_what_still_works(opened: Client) -> None:
    """The rest of the last block of a disk, the first syncs."""
    with contextlib.suppress(grpc.RpcError):
        for number in range(20):
            opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox(f"still-{number}"), timeout=30)


def pods_on_record(daemon: Daemon) -> list[str]:
    return [r.event.pod.name for r in daemon.records() if isinstance(r.event, PodRequested)]


def gaps(daemon: Daemon) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in daemon.records():
        if isinstance(record.event, Gap):
            found[record.event.reason] = found.get(record.event.reason, 0) + (
                record.event.count or 0
            )
    return found


def fill(disk: Path) -> Path:
    filler = disk / "something-else"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return filler


def soon(daemon: Daemon, wanted: str, reached: Callable[[], bool]) -> None:
    daemon.wait_for(wanted, reached, limit_s=15)


@pytest.mark.fault
@pytest.mark.root
def test_a_full_disk_never_fails_or_delays_a_pod_and_all_is_on_record_later(
    room: str, runtime: FakeRuntime, small_disk: Path
) -> None:
    ledger = small_disk / "ledger"
    with serving(room, runtime, ledger=ledger) as (daemon, opened):
        daemon.ledger = ledger
        soon(daemon, "a ledger", lambda: bool(daemon.records()))
        filler = fill(small_disk)

        names, usual_s = asks_for_pods(opened)

        assert usual_s < HOLD_LIMIT_S + SLACK_S
        assert pods_on_record(daemon)[-1:] != names[-1:]
        filler.unlink()
        soon(daemon, "the pods on record", lambda: pods_on_record(daemon) == names)
        assert daemon.stop() == 0
        assert verify(str(ledger)).unfinished_bytes == 0


@pytest.mark.fault
@pytest.mark.root
def test_on_a_full_disk_the_policy_fail_refuses_pods(
    room: str, runtime: FakeRuntime, small_disk: Path
) -> None:
    ledger = small_disk / "ledger"
    with serving(room, runtime, ledger=ledger, failure_policy="fail") as (daemon, opened):
        daemon.ledger = ledger
        soon(daemon, "a ledger", lambda: bool(daemon.records()))
        filler = fill(small_disk)
        use_up_what_still_works(opened)

        assert_refused(opened)

        filler.unlink()
        soon(daemon, "writing again", lambda: "write_resumed" in daemon.log.read_text())
        asks_for_pods(opened)


@pytest.mark.fault
@pytest.mark.root
def test_a_read_only_ledger_never_fails_or_delays_a_pod_and_all_is_on_record_later(
    room: str, runtime: FakeRuntime, small_disk: Path
) -> None:
    ledger = small_disk / "ledger"
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with serving(room, runtime, ledger=ledger) as (daemon, opened):
        daemon.ledger = ledger

        names, usual_s = asks_for_pods(opened)

        assert usual_s < HOLD_LIMIT_S + SLACK_S
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        soon(daemon, "the pods on record", lambda: pods_on_record(daemon) == names)


@pytest.mark.fault
@pytest.mark.root
def test_on_a_read_only_ledger_the_policy_fail_refuses_pods(
    room: str, runtime: FakeRuntime, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    told = {"ledger": small_disk / "ledger", "failure_policy": "fail"}
    with serving(room, runtime, **told) as (_, opened):
        assert_refused(opened)


HANGING = (
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-o",
    "/dev/null",
    "-e",
    "trace=fdatasync,fsync",
    "-e",
    f"inject=fdatasync,fsync:delay_enter={HANGS_S}s:when=10+",
    # The daemon must not outlive strace, which would let it go.
    "setpriv",
    "--pdeathsig",
    "KILL",
)
"""Every sync but those that make a new ledger takes half a minute."""


@contextmanager
def serving_on_a_hanging_disk(
    room: str, runtime: FakeRuntime, **told: object
) -> Iterator[tuple[Daemon, Client]]:
    daemon = Daemon(room, runtime.path, **told)
    try:
        daemon.start(wrapper=HANGING)
        with channel(daemon.socket) as opened:
            warm_up(opened)
            for number in range(100, 112):  # past the syncs that do not hang
                opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox(f"pod-{number}"), timeout=30)
                time.sleep(0.06)
            yield daemon, opened
    finally:
        daemon.kill()


@pytest.mark.fault
@pytest.mark.root
def test_a_sync_that_hangs_delays_nothing_and_every_pod_is_written_meanwhile(
    room: str, runtime: FakeRuntime
) -> None:
    with serving_on_a_hanging_disk(room, runtime) as (daemon, opened):
        names, usual_s = asks_for_pods(opened)

        assert usual_s < SLACK_S
        assert pods_on_record(daemon)[-PODS:] == names
        assert gaps(daemon).keys() <= {"status_unavailable"}


@pytest.mark.fault
@pytest.mark.root
def test_who_asked_to_wait_for_a_sync_waits_no_longer_than_the_limit_and_it_is_a_gap(
    room: str, runtime: FakeRuntime
) -> None:
    with serving_on_a_hanging_disk(room, runtime, write_ahead="sync") as (daemon, opened):
        names, usual_s = asks_for_pods(opened)

        assert usual_s < HOLD_LIMIT_S + SLACK_S
        assert pods_on_record(daemon)[-PODS:] == names
        soon(daemon, "its gaps", lambda: gaps(daemon).get("hold_limit", 0) >= PODS)


@pytest.mark.fault
@pytest.mark.root
def test_a_sync_that_hangs_refuses_pods_if_that_is_the_policy(
    room: str, runtime: FakeRuntime
) -> None:
    daemon = Daemon(room, runtime.path, write_ahead="sync", failure_policy="fail")
    try:
        daemon.start(wrapper=HANGING)
        with channel(daemon.socket) as opened:
            warm_up(opened)
            use_up_what_still_works(opened)

            assert_refused(opened)
    finally:
        daemon.kill()


@pytest.mark.fault
def test_a_status_call_that_hangs_delays_no_call(room: str, runtime: FakeRuntime) -> None:
    for method in ("PodSandboxStatus", "ContainerStatus", "ListPodSandbox", "ListContainers"):
        runtime.scripts[RUNTIME_SERVICE + method] = Script(delay_s=5)
    with serving(room, runtime, status_timeout_s=1) as (daemon, opened):
        began_s = time.monotonic()
        opened.unary(CREATE_CONTAINER)(create_container("app", "unknown"), timeout=30)
        container_s = time.monotonic() - began_s
        soon(daemon, "a gap", lambda: gaps(daemon).get("hold_limit", 0) == 1)
        soon(daemon, "the container", lambda: "app" in containers_on_record(daemon))

        _, pod_s = asks_for_pods(opened)

        assert container_s < 0.8  # of the second that the status call is given
        assert pod_s < SLACK_S
        daemon.kill()  # or it would ask after each pod for a second


def containers_on_record(daemon: Daemon) -> list[str]:
    return [
        r.event.container.name for r in daemon.records() if isinstance(r.event, ContainerRequested)
    ]


@pytest.mark.fault
def test_a_status_call_that_hangs_refuses_what_waits_for_it_if_that_is_the_policy(
    room: str, runtime: FakeRuntime
) -> None:
    runtime.scripts[RUNTIME_SERVICE + "PodSandboxStatus"] = Script(delay_s=5)
    told = {"status_timeout_s": 1, "failure_policy": "fail"}
    with serving(room, runtime, **told) as (_, opened):
        with pytest.raises(grpc.RpcError) as caught:
            opened.unary(CREATE_CONTAINER)(create_container("app", "unknown"), timeout=30)

        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.fault
def test_a_request_that_cannot_be_decoded_passes_as_it_is_and_is_a_gap(
    room: str, runtime: FakeRuntime
) -> None:
    nonsense = b"\xff" * 100
    with serving(room, runtime) as (daemon, opened):
        opened.unary(RUN_POD_SANDBOX)(nonsense, timeout=30)

        assert runtime.seen[-1].requests == [nonsense]
        soon(daemon, "a gap", lambda: gaps(daemon).get("undecodable", 0) >= 1)


@pytest.mark.fault
def test_a_request_that_cannot_be_decoded_is_refused_if_that_is_the_policy(
    room: str, runtime: FakeRuntime
) -> None:
    with serving(room, runtime, failure_policy="fail") as (_, opened):
        with pytest.raises(grpc.RpcError) as caught:
            opened.unary(RUN_POD_SANDBOX)(b"\xff" * 100, timeout=30)

        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert RUN_POD_SANDBOX not in {seen.path for seen in runtime.seen if seen.requests}


@pytest.mark.fault
def test_a_huge_map_of_annotations_goes_through_and_is_in_no_record(
    room: str, runtime: FakeRuntime
) -> None:
    request = pb.RunPodSandboxRequest.FromString(run_pod_sandbox("huge"))
    for number in range(20_000):
        request.config.annotations[f"foreign/{number:06d}"] = "x" * 500
    with serving(room, runtime) as (daemon, opened):
        opened.unary(RUN_POD_SANDBOX)(request.SerializeToString(), timeout=30)

        sent = pb.RunPodSandboxRequest.FromString(
            next(seen for seen in runtime.seen if seen.path == RUN_POD_SANDBOX).requests[0]
        )
        theirs = {k: v for k, v in sent.config.annotations.items() if k.startswith("foreign/")}
        assert theirs == dict(request.config.annotations)
        soon(daemon, "the pod", lambda: pods_on_record(daemon) == ["huge"])
        assert b"foreign/" not in b"".join(p.read_bytes() for p in daemon.ledger.glob("*.jsonl"))
        assert soonest(lambda: version_takes_s(opened), enough=SLACK_S) < SLACK_S


@pytest.mark.fault
def test_a_daemon_that_was_never_given_a_ledger_serves_all_the_same(
    room: str, runtime: FakeRuntime
) -> None:
    blocked = Path(room) / "in-the-way"
    blocked.write_text("a file")
    with serving(room, runtime, ledger=blocked / "ledger") as (daemon, opened):
        _, usual_s = asks_for_pods(opened)

        assert usual_s < HOLD_LIMIT_S + SLACK_S
        assert "ledger.write_failed" in daemon.log.read_text()
        os.kill(daemon.pid, 0)
