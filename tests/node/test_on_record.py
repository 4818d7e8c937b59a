"""The main job on real containerd: pods through the shim, with the hook, and what is on record."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from demo.cri import Client
from demo.hook import install_hook
from demo.node import PrivateNode
from demo.pods import Kubelet, Pod, RunningPod
from demo.shim import Shim
from nsledger.domain.events import (
    ContainerAssigned,
    ContainerRequested,
    ContainerStarted,
    ContainerWitnessed,
    Gap,
    PodAssigned,
)
from nsledger.domain.judgement import Verdict
from nsledger.domain.namespaces import NamespaceReading, NamespaceType
from nsledger.domain.record import Record
from tests.node.conftest import GENERATIONS, installation

SECRET = "hunter2-planted-secret"  # noqa: S105 - planted, to be found nowhere

KINDS = [
    Pod(name="plain", containers=("app", "sidecar")),
    Pod(name="shared", containers=("app", "sidecar"), share_process_namespace=True),
    Pod(name="host", host_network=True, host_pid=True, host_ipc=True),
]


@dataclass(frozen=True, slots=True)
class AuditedNode:
    """A node with nsledger serve in front of it and the hook in it."""

    node: PrivateNode
    shim: Shim
    kubelet: Kubelet

    def run(self, pod: Pod) -> tuple[RunningPod, list[Record]]:
        """Start `pod`; the records about it, once every container's start is on record."""
        running = self.kubelet.run(pod)
        records = self.shim.wait_for(
            "a record of every start", lambda found: set(running.containers.values()) <= ids(found)
        )
        return running, [record for record in records if is_about(record, running)]


def ids(records: list[Record]) -> set[str]:
    return {
        record.event.container.container_id
        for record in records
        if isinstance(record.event, ContainerStarted)
    }


def is_about(record: Record, running: RunningPod) -> bool:
    pod = getattr(record.event, "pod", None)
    return pod is not None and pod.name == running.pod.name


@pytest.fixture(scope="module", params=GENERATIONS)
def audited(request: pytest.FixtureRequest) -> Iterator[AuditedNode]:
    with PrivateNode(installation(request.param)) as node:
        shim = Shim(node)
        node.start(install_hook(node, spool=shim.paths.spool))
        with shim, Client(shim.paths.socket) as client:
            client.call("Version")  # so that its descriptors are there before a test counts them
            yield AuditedNode(node, shim, node.kubelet(client))


@pytest.fixture
def run(audited: AuditedNode) -> Iterator[Callable[[Pod], tuple[RunningPod, list[Record]]]]:
    """Runs pods through the shim for the length of a test."""
    with contextlib.ExitStack() as after:

        def run_pod(pod: Pod) -> tuple[RunningPod, list[Record]]:
            running, records = audited.run(pod)
            after.callback(audited.kubelet.remove, running)
            return running, records

        yield run_pod


Run = Callable[[Pod], tuple[RunningPod, list[Record]]]


def assert_is_what_readlink_says(reading: NamespaceReading | None, pid: int) -> None:
    assert reading is not None
    assert reading.pid == pid
    assert reading.complete
    for type_ in NamespaceType:
        assert f"{type_}:[{reading.namespaces[type_].ino}]" == os.readlink(
            f"/proc/{pid}/ns/{type_}"
        )


@pytest.mark.parametrize("pod", KINDS, ids=lambda pod: pod.name)
def test_what_is_on_record_is_what_the_kernel_says(
    audited: AuditedNode, run: Run, pod: Pod
) -> None:
    running, records = run(pod)

    sandbox_pid = audited.kubelet.sandbox_info(running.pod_sandbox_id)["pid"]
    assigned = next(r.event for r in records if isinstance(r.event, PodAssigned))
    assert_is_what_readlink_says(assigned.actual, sandbox_pid)
    for container_id in running.containers.values():
        pid = audited.kubelet.container_info(container_id)["pid"]
        for kind in (ContainerWitnessed, ContainerStarted):
            (event,) = (
                r.event
                for r in records
                if isinstance(r.event, kind) and r.event.container.container_id == container_id
            )
            assert_is_what_readlink_says(event.actual, pid)


def test_a_user_namespace_is_on_record_with_its_mappings(audited: AuditedNode, run: Run) -> None:
    if not audited.kubelet.can_make_user_namespaces():
        assert audited.node.versions().startswith("containerd 1.")
        return
    running, records = run(Pod(name="user", host_users=False))

    started = next(r.event for r in records if isinstance(r.event, ContainerStarted))
    assert started.judgements[NamespaceType.USER].sharing == "pod"
    assert started.judgements[NamespaceType.USER].verdict is Verdict.MATCH
    assert started.actual is not None
    pid = audited.kubelet.container_info(running.containers["app"])["pid"]
    in_kernel = [int(n) for n in Path(f"/proc/{pid}/uid_map").read_text().split()]
    mapping = started.actual.uid_map[0]
    assert [mapping.container_id, mapping.host_id, mapping.length] == in_kernel


@pytest.mark.parametrize("pod", KINDS, ids=lambda pod: pod.name)
def test_a_conforming_runtime_has_no_mismatch_and_no_gap(run: Run, pod: Pod) -> None:
    _, records = run(pod)

    assert not [r.event for r in records if isinstance(r.event, Gap)]
    for record in records:
        if isinstance(record.event, PodAssigned | ContainerStarted):
            verdicts = {type_: j.verdict for type_, j in record.event.judgements.items()}
            assert set(verdicts) == set(NamespaceType)
            assert set(verdicts.values()) <= {Verdict.MATCH, Verdict.NOT_REQUESTED}


def test_what_was_predicted_is_what_the_runtime_assigned(audited: AuditedNode, run: Run) -> None:
    running, records = run(Pod(name="predicted"))

    asked = next(r.event for r in records if isinstance(r.event, ContainerRequested))
    got = next(r.event for r in records if isinstance(r.event, ContainerAssigned))
    assert asked.predicted == got.assigned
    spec = audited.kubelet.container_info(running.containers["app"])["runtimeSpec"]
    annotations = spec["annotations"]
    assert annotations["nsledger.dev/audit-id"] == asked.audit_id
    for type_, assignment in asked.predicted.items():
        expected = "host" if assignment == "inherited" else assignment
        assert annotations[f"nsledger.dev/ns.{type_}"] == expected


def test_the_hooks_record_joins_the_shims_by_container_and_call(run: Run) -> None:
    running, records = run(Pod(name="joined"))

    asked = next(r.event for r in records if isinstance(r.event, ContainerRequested))
    seen = next(r.event for r in records if isinstance(r.event, ContainerWitnessed))
    started = next(r.event for r in records if isinstance(r.event, ContainerStarted))
    assert seen.container.container_id == started.container.container_id
    assert seen.container.container_id == running.containers["app"]
    assert seen.audit_id == asked.audit_id
    assert seen.pod.full_name == "demo/joined"
    assert started.witnessed


def test_the_ledger_verifies_while_pods_run(audited: AuditedNode, run: Run) -> None:
    run(Pod(name="verified"))

    assert "sound" in audited.shim.ask("verify")
    shown = audited.shim.ask("show", "demo/verified")
    assert "app" in shown


def test_a_planted_secret_is_nowhere(audited: AuditedNode, run: Run) -> None:
    annotations = {"example.com/token": SECRET, "kubectl.kubernetes.io/last-applied": SECRET}
    running, _ = run(Pod(name="secretive", annotations=annotations))
    container_id = audited.kubelet.start(
        running,
        "talkative",
        envs=[{"key": "PASSWORD", "value": SECRET}],
        args=[f"--password={SECRET}"],
        annotations={"example.com/token": SECRET},
    )
    audited.shim.wait_for("its start", lambda found: container_id in ids(found))

    spec = audited.kubelet.container_info(container_id)["runtimeSpec"]
    assert SECRET in msgspec.json.encode(spec["process"]).decode()  # it did get through
    paths = audited.shim.paths
    places = [*paths.ledger.rglob("*"), *paths.spool.rglob("*"), paths.log]
    kept = [place for place in places if place.is_file()]
    assert any(place.suffix == ".jsonl" for place in kept)
    for place in kept:
        assert SECRET.encode() not in place.read_bytes(), place
