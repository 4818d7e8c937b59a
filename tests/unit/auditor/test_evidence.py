from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.model.events import (
    CallFailed,
    ContainerAssigned,
    ContainerRemoved,
    ContainerStarted,
    PodAssigned,
    Source,
)
from tests.unit.auditor.node_in_a_box import (
    answered,
    box,
    container_answer,
    create_container,
    only,
    run_pod_sandbox,
    sandbox_answer,
)

START = pb.StartContainerRequest(container_id="c1").SerializeToString()
REMOVE = pb.RemoveContainerRequest(container_id="c1").SerializeToString()
STOP_POD = pb.StopPodSandboxRequest(pod_sandbox_id="s1").SerializeToString()
REMOVE_POD = pb.RemovePodSandboxRequest(pod_sandbox_id="s1").SerializeToString()


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
    removed = only(ContainerRemoved, on_record)
    assert removed.pod.full_name == "shop/cart"
    assert removed.container.name == "app"
    assert not node.node_state.known
    assert not node.node_state.workloads.pods


def test_a_restored_pod_has_its_containers_on_record_and_they_are_started_like_any(
    tmp_path: Path,
) -> None:
    request = pb.RestorePodRequest()
    request.config.metadata.name = "cart"
    request.config.metadata.namespace = "shop"
    request.container_configs.add().metadata.name = "app"
    answer = pb.RestorePodResponse(pod_sandbox_id="s1")
    answer.restored_containers.add(name="app", container_id="c1")

    with box(tmp_path) as node:
        restored = (request.SerializeToString(), answer.SerializeToString())
        answered(node, Method.RESTORE_POD, *restored)
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    assert [type(event).__name__ for event in on_record] == [
        "PodAssigned",
        "ContainerAssigned",
        "ContainerStarted",
    ]
    pod, made, started = only(PodAssigned, on_record), *on_record[1:]
    assert isinstance(made, ContainerAssigned)
    assert isinstance(started, ContainerStarted)
    assert pod.audit_id == made.audit_id != ""
    assert (made.pod.pod_sandbox_id, made.container.container_id) == ("s1", "c1")
    assert started.judgements


@pytest.mark.parametrize("grpc_status", [4, None])
def test_a_failed_call_is_on_record_with_its_status(
    tmp_path: Path, grpc_status: int | None
) -> None:
    with box(tmp_path) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), grpc_status=grpc_status)
        on_record = node.finish()

    failed = only(CallFailed, on_record)
    assert (failed.method, failed.grpc_status) == ("RunPodSandbox", grpc_status)
    assert failed.pod.full_name == "shop/cart"


def test_a_pod_from_before_the_daemon_is_marked_as_found(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        node.evidence.adopt("s1")
        node.evidence.adopt("s1")
        on_record = node.finish()

    assigned = only(PodAssigned, on_record)
    assert assigned.source is Source.RECONCILE
    assert assigned.pod.name == "told"
