from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.auditor import observer
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.cri.status import ProcessStatus, SandboxStatus
from nsledger.model.events import ContainerAssigned, ContainerStarted, Gap, PodAssigned, Source
from nsledger.model.judgement import LayerPair
from nsledger.model.namespaces import NamespaceType, RequestedNamespaces
from nsledger.model.refs import PodRef
from tests.processes import sleeping
from tests.unit.auditor.node_in_a_box import (
    FakeRuntime,
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


def test_a_started_container_has_what_readlink_says(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    started = only(ContainerStarted, on_record)
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

    started = only(ContainerStarted, on_record)
    assert (started.actual, started.unobservable) == (None, "no host pid")


def test_a_process_that_is_gone_is_that_and_nothing_that_could_not_be_read(tmp_path: Path) -> None:
    with box(tmp_path, runtime=FakeRuntime(pid=2**22 - 1)) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        on_record = node.finish()

    assigned = only(PodAssigned, on_record)
    assert (assigned.actual, assigned.judgements) == (None, {})
    assert assigned.unobservable == "it had ended"


def test_a_runtime_that_does_not_answer_is_a_gap_and_the_pod_is_still_on_record(
    tmp_path: Path,
) -> None:
    with box(tmp_path, runtime=FakeRuntime(unavailable=True)) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        on_record = node.finish()

    assigned = only(PodAssigned, on_record)
    assert assigned.pod.pod_sandbox_id == "s1"
    assert "DEADLINE_EXCEEDED" in assigned.unobservable
    gap = only(Gap, on_record)
    assert gap.reason == "status_unavailable"


def test_a_container_past_the_shim_is_looked_up_when_it_starts(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    assert isinstance(only(ContainerAssigned, on_record), ContainerAssigned)
    assert isinstance(only(ContainerStarted, on_record), ContainerStarted)


def test_a_container_whose_status_is_not_told_is_on_record_by_its_id(tmp_path: Path) -> None:
    with box(tmp_path, runtime=FakeRuntime(unavailable=True)) as node:
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        on_record = node.finish()

    made = only(ContainerAssigned, on_record)
    assert (made.container.container_id, made.assigned) == ("c1", {})


def test_of_a_sandboxs_interfaces_bridges_and_what_cannot_be_one_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "is_bridge", "cni0".__eq__)
    names = ("cni0", "veth5f47613f", "../../etc", *(f"eni{number}" for number in range(20)))
    with box(tmp_path) as node:
        told = SandboxStatus(
            pod=PodRef(pod_sandbox_id="s1"),
            ready=True,
            requested=RequestedNamespaces(),
            process=ProcessStatus(pid=None, assigned={}, uid_mappings=(), gid_mappings=()),
            netns_path="",
            ips=(),
            host_interfaces=names,
        )
        node.observer.saw_sandbox(told.pod, told, source=Source.RECONCILE)
        on_record = node.finish()

    kept = only(PodAssigned, on_record).host_interfaces
    assert kept[:2] == ("veth5f47613f", "eni0")
    assert len(kept) == 16


@pytest.mark.root
def test_a_sandbox_is_held_against_where_its_assigned_path_leads(tmp_path: Path) -> None:
    with sleeping("unshare --net") as stranger, sleeping() as pause, box(tmp_path) as node:
        status = SandboxStatus(
            pod=PodRef(pod_sandbox_id="s1"),
            ready=True,
            requested=RequestedNamespaces(),
            process=ProcessStatus(
                pid=pause.pid,
                assigned={NamespaceType.NET: f"/proc/{stranger.pid}/ns/net"},
                uid_mappings=(),
                gid_mappings=(),
            ),
            netns_path="",
            ips=(),
        )
        node.observer.saw_sandbox(status.pod, status, source=Source.CRI_PROXY)
        on_record = node.finish()

    judged = only(PodAssigned, on_record).judgements[NamespaceType.NET]
    assert judged.differ == (LayerPair.ASSIGNED_ACTUAL,)
