"""Real containerd that restarts, dies, hangs or is not there; a daemon that is replaced or killed.

What a kubelet sees through the shim is compared with what it sees on containerd's own socket.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import grpc
import pytest

from demo.cri import Client
from demo.pods import Kubelet, Pod, RunningPod
from nsledger.model.events import ContainerStarted, Gap, PodAssigned, PodRequested
from tests.node.conftest import GENERATIONS, AuditedNode, audited_node
from tests.patience import soonest, usual

BACK_S = 1.0
TAKE_OVERS = 3
LATE_GAPS_S = 2.0
"""A daemon that finds no containerd, as in the test before, says so at most once a second."""
KILLS = 3


@pytest.fixture(scope="module", params=GENERATIONS)
def faulty(request: pytest.FixtureRequest) -> Iterator[AuditedNode]:
    """A node of each generation that bears what is done to it here."""
    with audited_node(request.param) as node:
        yield node


@dataclass
class Waiting:
    """A call on a thread of its own, and how it ended."""

    thread: threading.Thread
    ended: list[grpc.StatusCode | None]

    def code(self) -> grpc.StatusCode | None:
        """None if it was answered."""
        self.thread.join(30)
        return self.ended[0]


def code_of(call: Callable[[], object]) -> grpc.StatusCode | None:
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return None


def in_background(call: Callable[[], object]) -> Waiting:
    ended: list[grpc.StatusCode | None] = []
    thread = threading.Thread(target=lambda: ended.append(code_of(call)))
    thread.start()
    return Waiting(thread, ended)


def until_served(path: str) -> float:
    """How long it takes until a new client is answered."""
    began_s = time.monotonic()
    while True:
        with Client(path, timeout_s=5) as client:
            if code_of(lambda: client.call("Version")) is None:
                return time.monotonic() - began_s
        time.sleep(0.01)


def both(node: AuditedNode) -> tuple[str, str]:
    """Containerd's own socket, and the shim's."""
    return node.node.socket, node.shim.paths.socket


def test_after_a_restart_of_containerd_the_shim_serves_within_a_second_and_pods_go_on(
    faulty: AuditedNode,
) -> None:
    running = faulty.kubelet.run(Pod(name="stays"))

    def restart() -> float:
        faulty.node.stop_containerd()
        assert [away(path) for path in both(faulty)] == [grpc.StatusCode.UNAVAILABLE] * 2
        faulty.node.start_containerd()
        return until_served(faulty.shim.paths.socket)

    assert soonest(restart, enough=BACK_S) < BACK_S
    remove(faulty, running)


def away(path: str) -> grpc.StatusCode | None:
    with Client(path, timeout_s=10) as client:
        return code_of(lambda: client.call("Version"))


def remove(node: AuditedNode, running: RunningPod) -> None:
    with Client(node.shim.paths.socket) as client:
        node.node.kubelet(client).remove(running)


def test_a_call_under_way_when_containerd_is_killed_ends_as_it_would_without_us(
    faulty: AuditedNode,
) -> None:
    running = faulty.kubelet.run(Pod(name="executes"))
    container_id = running.containers["app"]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(path)) for path in both(faulty)]
        calls = [
            in_background(
                partial(
                    client.call,
                    "ExecSync",
                    container_id=container_id,
                    cmd=["sleep", "5"],
                    timeout=10,
                )
            )
            for client in clients
        ]
        time.sleep(0.5)

        os.kill(faulty.node.containerd_pid, signal.SIGKILL)

        direct, relayed = [call.code() for call in calls]
    faulty.node.start_containerd()
    assert direct is relayed is grpc.StatusCode.UNAVAILABLE
    assert until_served(faulty.shim.paths.socket) < BACK_S
    remove(faulty, running)


def test_a_containerd_that_hangs_costs_the_kubelet_its_own_deadline(faulty: AuditedNode) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(path, timeout_s=2)) for path in both(faulty)]
        for client in clients:
            client.call("Version")
        os.kill(faulty.node.containerd_pid, signal.SIGSTOP)
        try:
            codes = [code_of(partial(client.call, "Version")) for client in clients]
        finally:
            os.kill(faulty.node.containerd_pid, signal.SIGCONT)
        again = [code_of(partial(client.call, "Version")) for client in clients]

    assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * 2
    assert again == [None, None]


def test_a_shim_that_starts_before_containerd_serves_when_that_comes(faulty: AuditedNode) -> None:
    def start_in_the_wrong_order() -> float:
        faulty.shim.stop()
        faulty.node.stop_containerd()
        faulty.shim.start()
        assert away(faulty.shim.paths.socket) is grpc.StatusCode.UNAVAILABLE
        faulty.node.start_containerd()
        return until_served(faulty.shim.paths.socket)

    assert soonest(start_in_the_wrong_order, enough=BACK_S) < BACK_S


def test_the_daemon_is_replaced_while_pods_start_and_every_one_is_on_record(
    faulty: AuditedNode,
) -> None:
    pods: list[RunningPod] = []
    failed: list[BaseException] = []
    over = threading.Event()

    def start_pods() -> None:
        with Client(faulty.shim.paths.socket) as client:
            kubelet = faulty.node.kubelet(client)
            while not over.is_set():
                try:
                    pods.append(kubelet.run(Pod(name=f"during-{len(pods)}")))
                except grpc.RpcError as error:
                    failed.append(error)

    time.sleep(LATE_GAPS_S)
    before = len([record for record in faulty.shim.records() if isinstance(record.event, Gap)])
    thread = threading.Thread(target=start_pods)
    thread.start()
    try:
        for _ in range(TAKE_OVERS):
            time.sleep(0.5)
            faulty.shim.take_over()
    finally:
        over.set()
        thread.join()

    assert failed == []
    assert len(pods) >= TAKE_OVERS
    for running in pods:
        wait_for_looks(faulty, running)
    gaps = [record.event for record in faulty.shim.records() if isinstance(record.event, Gap)]
    assert gaps[before:] == []
    assert "sound" in faulty.shim.ask("verify")
    for running in pods:
        remove(faulty, running)


def wait_for_looks(node: AuditedNode, running: RunningPod) -> None:
    """Until the pod was looked at: perhaps by two daemons, for neither knows the other's."""

    def looked(_: object) -> bool:
        sandboxes = node.events(PodAssigned, running.pod_sandbox_id)
        containers = node.events(ContainerStarted, running.containers["app"])
        return any(event.actual for event in sandboxes) and any(
            event.actual for event in containers
        )

    node.shim.wait_for(f"{running.pod.name} on record", looked)


def test_a_killed_daemon_serves_again_within_a_second_and_has_lost_no_pod_that_it_acknowledged(
    faulty: AuditedNode,
) -> None:
    pods: list[RunningPod] = []
    took_s: list[float] = []
    for number in range(KILLS):
        with Client(faulty.shim.paths.socket) as client:
            kubelet: Kubelet = faulty.node.kubelet(client)
            pods.append(kubelet.run(Pod(name=f"killed-{number}", containers=())))
        faulty.shim.kill()
        executed_s = time.monotonic()
        faulty.shim.start()
        until_served(faulty.shim.paths.socket)
        took_s.append(time.monotonic() - executed_s)

    print(f"start to first answer: {sorted(took_s)} s")  # noqa: T201 - a figure to see
    assert usual(took_s) < BACK_S
    requested = {
        record.event.pod.name
        for record in faulty.shim.records()
        if isinstance(record.event, PodRequested)
    }
    assert {running.pod.name for running in pods} <= requested
    for running in pods:
        remove(faulty, running)
