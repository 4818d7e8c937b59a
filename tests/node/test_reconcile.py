"""What is started, and ends, behind the shim's back on real containerd: found, and dated right."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.cri import Client
from demo.pods import Kubelet, Pod, RunningPod
from nsledger.model.events import (
    ContainerRemoved,
    ContainerStarted,
    ContainerStopped,
    DatedBy,
    Ending,
    Gap,
    NamespaceChanged,
    PodAssigned,
    PodRemoved,
    PodStopped,
    Source,
    event_name,
)
from nsledger.model.instants import unix_ns
from nsledger.model.record import Record
from tests.node.conftest import GENERATIONS, AuditedNode, audited_node, subject

INTERVAL_S = 10.0
PODS = {1: 50, 2: 12}
"""By generation: one is enough to show the number."""


@pytest.fixture(scope="module", params=GENERATIONS)
def node(request: pytest.FixtureRequest) -> Iterator[AuditedNode]:
    with audited_node(request.param, reconcile_interval_s=INTERVAL_S) as audited:
        yield audited


@pytest.fixture(scope="module")
def past_the_shim(node: AuditedNode) -> Iterator[Kubelet]:
    """A CRI client on containerd's own socket."""
    with Client(node.node.socket) as client:
        yield node.node.kubelet(client)


def behind(number: int) -> Pod:
    """Every other one is not seen by the hook either."""
    return Pod(name=f"behind-{number}", runtime_handler="unhooked" if number % 2 else "")


def of(records: list[Record], kind: type, ids: set[str]) -> dict[str, list[Record]]:
    """The records of one kind, by the id of what they are about."""
    found: dict[str, list[Record]] = {id_: [] for id_ in ids}
    for record in records:
        if isinstance(record.event, kind) and subject(record.event) in ids:
            found[subject(record.event)].append(record)
    return found


def all_told(records: list[Record], kind: type, ids: set[str]) -> bool:
    return all(of(records, kind, ids).values())


def test_pods_that_were_started_behind_its_back_are_found_in_one_interval(
    node: AuditedNode, past_the_shim: Kubelet
) -> None:
    with ThreadPoolExecutor(4) as starters:
        pods = list(starters.map(past_the_shim.run, map(behind, range(PODS[node.generation]))))
    began_s = time.monotonic()
    sandboxes = {pod.pod_sandbox_id for pod in pods}
    containers = {pod.containers["app"] for pod in pods}

    found = node.shim.wait_for(
        "all pods on record", lambda records: all_told(records, ContainerStarted, containers)
    )
    took_s = time.monotonic() - began_s

    # The round that finds the last one may begin an interval later, and asks 25 times a second.
    assert took_s < INTERVAL_S + 2 * len(pods) / 25 + 2
    for kind, ids in ((PodAssigned, sandboxes), (ContainerStarted, containers)):
        for records in of(found, kind, ids).values():
            (record,) = records
            assert isinstance(record.event, PodAssigned | ContainerStarted)
            assert record.event.source is Source.RECONCILE
            assert record.event.actual is not None
            assert record.event.actual.complete
            assert record.event.not_before < record.time
    assert not [record for record in found if isinstance(record.event, Gap)]
    shown = node.shim.ask("show", "demo/behind-1")
    assert "seen since" in shown

    shows_once_after_a_restart(node, past_the_shim, sandboxes, containers)
    shows_how_it_ended(node, past_the_shim, pods)


def shows_once_after_a_restart(
    node: AuditedNode, past_the_shim: Kubelet, sandboxes: set[str], containers: set[str]
) -> None:
    before = Counter(event_name(record.event) for record in node.shim.records())
    node.shim.kill()
    node.shim.start()
    later = past_the_shim.run(behind(1000))

    found = node.shim.wait_for(
        "the pod after the restart",
        lambda records: all_told(records, ContainerStarted, set(later.containers.values())),
    )

    after = Counter(event_name(record.event) for record in found)
    new = after - before
    assert new["pod.assigned"] == new["container.started"] == 1
    for kind, ids in ((PodAssigned, sandboxes), (ContainerStarted, containers)):
        assert {len(records) for records in of(found, kind, ids).values()} == {1}
    past_the_shim.remove(later)


def shows_how_it_ended(node: AuditedNode, past_the_shim: Kubelet, pods: list[RunningPod]) -> None:
    with ThreadPoolExecutor(4) as removers:
        list(removers.map(past_the_shim.remove, pods))
    sandboxes = {pod.pod_sandbox_id for pod in pods}

    found = node.shim.wait_for(
        "all pods gone", lambda records: all_told(records, PodRemoved, sandboxes)
    )

    for record in found:
        if isinstance(record.event, PodRemoved) and subject(record.event) in sandboxes:
            assert record.event.source is Source.RECONCILE
    gone = of(found, ContainerRemoved, {pod.containers["app"] for pod in pods})
    assert {len(records) for records in gone.values()} == {1}


def test_a_container_that_ends_by_itself_is_closed(node: AuditedNode) -> None:
    with Client(node.shim.paths.socket) as client:
        kubelet = node.node.kubelet(client)
        pod = kubelet.run(Pod(name="short", containers=()))
        container_id = kubelet.start(pod, "init", command=["/bin/busybox", "sleep", "1"])

        stopped = node.event(ContainerStopped, container_id)

        assert (stopped.source, stopped.ending) == (Source.RECONCILE, Ending.EXITED)
        kubelet.remove(pod)
    record = next(one for one in node.shim.records() if one.event == stopped)
    assert stopped.dated_by is DatedBy.RUNTIME
    assert 0 <= unix_ns(record.time) - unix_ns(stopped.ended_at) < 3 * 10**9


def test_when_only_the_pause_process_dies_the_containers_run_on(node: AuditedNode) -> None:
    with Client(node.shim.paths.socket) as client:
        kubelet = node.node.kubelet(client)
        pod = kubelet.run(Pod(name="headless"))
        sandbox = node.event(PodAssigned, pod.pod_sandbox_id)
        assert sandbox.actual is not None
        os.kill(sandbox.actual.pid, signal.SIGKILL)

        stopped = node.event(PodStopped, pod.pod_sandbox_id)
        time.sleep(INTERVAL_S + 2)

        assert stopped.source is Source.RECONCILE
        assert not of(list(node.shim.records()), ContainerStopped, {pod.containers["app"]})[
            pod.containers["app"]
        ]
        listed = json.loads(node.shim.ask("pods", "-o", "json"))
        (line,) = [one for one in listed if one["pod"]["name"] == "headless"]
        assert (line["state"], line["containers"]) == ("running", ["app"])
        kubelet.remove(pod)


def test_a_process_that_leaves_its_namespace_is_found(node: AuditedNode) -> None:
    with Client(node.shim.paths.socket) as client:
        kubelet = node.node.kubelet(client)
        pod = kubelet.run(Pod(name="mover", containers=()))
        container_id = kubelet.start(
            pod,
            "app",
            # Its first process leaves the host's user namespace for one of its own, and stays.
            command=["/bin/busybox", "sh", "-c", "sleep 3; exec unshare -U sleep 1000"],
        )

        changed = node.event(NamespaceChanged, container_id)

        assert [str(type_) for type_ in changed.changed] == ["user"]
        assert changed.before.pid == changed.actual.pid
        kubelet.remove(pod)
