from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.audit.jobs import FollowUp
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.domain.events import (
    CallFailed,
    ContainerAssigned,
    ContainerRemoved,
    ContainerStarted,
    Event,
    Gap,
    PodAssigned,
    Source,
)
from nsledger.domain.judgement import Verdict
from nsledger.domain.namespaces import NamespaceType
from tests.unit.audit.node_in_a_box import (
    Box,
    FakeRuntime,
    box,
    container_answer,
    create_container,
    run_pod_sandbox,
    sandbox_answer,
)

START = pb.StartContainerRequest(container_id="c1").SerializeToString()
REMOVE = pb.RemoveContainerRequest(container_id="c1").SerializeToString()
STOP_POD = pb.StopPodSandboxRequest(pod_sandbox_id="s1").SerializeToString()
REMOVE_POD = pb.RemovePodSandboxRequest(pod_sandbox_id="s1").SerializeToString()


def answered(
    node: Box, method: Method, request: bytes, answer: bytes = b"", grpc_status: int | None = 0
) -> None:
    node.witness.put(FollowUp(method, request, answer, grpc_status, audit_id="a1"))


def only(kind: type[Event], events: list[object]) -> Event:
    (found,) = (event for event in events if isinstance(event, kind))
    return found


def test_a_whole_life_is_on_record_in_its_order(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        answered(node, Method.START_CONTAINER, START)
        answered(node, Method.STOP_CONTAINER, START)
        answered(node, Method.REMOVE_CONTAINER, REMOVE)
        answered(node, Method.STOP_POD_SANDBOX, STOP_POD)
        answered(node, Method.REMOVE_POD_SANDBOX, REMOVE_POD)
        on_record = node.finish()

    assert [type(event).__name__ for event in on_record] == [
        "PodAssigned",
        "ContainerAssigned",
        "ContainerStarted",
        "ContainerStopped",
        "ContainerRemoved",
        "PodStopped",
        "PodRemoved",
    ]
    removed = only(ContainerRemoved, list(on_record))
    assert isinstance(removed, ContainerRemoved)
    assert removed.pod.full_name == "shop/cart"
    assert removed.container.name == "app"
    assert not node.evidence.known
    assert not node.evidence.workloads.pods


def test_a_started_container_has_what_readlink_says(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    started = only(ContainerStarted, list(on_record))
    assert isinstance(started, ContainerStarted)
    assert started.actual is not None
    for type_ in NamespaceType:
        inode = started.actual.namespaces[type_].ino
        assert os.readlink(f"/proc/self/ns/{type_}") == f"{type_}:[{inode}]"
        assert started.judgements[type_].sharing == "host"
    assert not started.witnessed


def test_a_container_without_a_host_pid_is_unobservable_and_says_why(tmp_path: Path) -> None:
    with box(tmp_path, runtime=FakeRuntime(pid=None)) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    started = only(ContainerStarted, list(on_record))
    assert isinstance(started, ContainerStarted)
    assert (started.actual, started.unobservable) == (None, "no host pid")


def test_a_process_that_is_gone_leaves_every_type_unobservable(tmp_path: Path) -> None:
    with box(tmp_path, runtime=FakeRuntime(pid=2**22 - 1)) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        on_record = node.finish()

    assigned = only(PodAssigned, list(on_record))
    assert isinstance(assigned, PodAssigned)
    assert {j.verdict for j in assigned.judgements.values()} == {Verdict.UNOBSERVABLE}


def test_a_runtime_that_does_not_answer_is_a_gap_and_the_pod_is_still_on_record(
    tmp_path: Path,
) -> None:
    with box(tmp_path, runtime=FakeRuntime(unavailable=True)) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        on_record = node.finish()

    assigned = only(PodAssigned, list(on_record))
    assert isinstance(assigned, PodAssigned)
    assert assigned.pod.pod_sandbox_id == "s1"
    assert "DEADLINE_EXCEEDED" in assigned.unobservable
    gap = only(Gap, list(on_record))
    assert isinstance(gap, Gap)
    assert gap.reason == "status_unavailable"


@pytest.mark.parametrize("grpc_status", [4, None])
def test_a_failed_call_is_on_record_with_its_status(
    tmp_path: Path, grpc_status: int | None
) -> None:
    with box(tmp_path) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), grpc_status=grpc_status)
        on_record = node.finish()

    failed = only(CallFailed, list(on_record))
    assert isinstance(failed, CallFailed)
    assert (failed.method, failed.grpc_status) == ("RunPodSandbox", grpc_status)
    assert failed.pod.full_name == "shop/cart"


def test_a_pod_from_before_the_daemon_is_marked_as_found(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        node.evidence.adopt("s1")
        node.evidence.adopt("s1")
        on_record = node.finish()

    assigned = only(PodAssigned, list(on_record))
    assert assigned.source is Source.RECONCILE
    assert isinstance(assigned, PodAssigned)
    assert assigned.pod.name == "told"


def test_a_container_past_the_shim_is_looked_up_when_it_starts(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    assert isinstance(only(ContainerAssigned, list(on_record)), ContainerAssigned)
    assert isinstance(only(ContainerStarted, list(on_record)), ContainerStarted)


def test_a_container_whose_status_is_not_told_is_on_record_by_its_id(tmp_path: Path) -> None:
    with box(tmp_path, runtime=FakeRuntime(unavailable=True)) as node:
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        on_record = node.finish()

    made = only(ContainerAssigned, list(on_record))
    assert isinstance(made, ContainerAssigned)
    assert (made.container.container_id, made.assigned) == ("c1", {})
