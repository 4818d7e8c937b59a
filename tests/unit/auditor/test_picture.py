from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.model.events import ContainerAssigned, ContainerStarted, Gap, PodAssigned, Source
from nsledger.model.judgement import LayerPair, Verdict
from nsledger.model.namespaces import NamespaceReading, NamespaceType
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from tests.processes import sleeping
from tests.unit.auditor.node_in_a_box import Box, box, only

POD = PodRef(pod_sandbox_id="s1", k8s_namespace="shop", name="cart")


def started(node: Box, name: str, actual: NamespaceReading) -> None:
    node.node_state.record(
        ContainerStarted(
            source=Source.CRI_PROXY,
            pod=POD,
            container=ContainerRef(container_id=f"c-{name}", name=name),
            actual=actual,
        )
    )


def sharing_of_ipc(node: Box, name: str) -> str:
    known = node.node_state.workloads.container(f"c-{name}")
    assert known is not None
    pod, container = known
    assert container.actual is not None
    return node.node_state.judge(pod, container, container.actual)[NamespaceType.IPC].sharing


def test_what_is_said_is_in_the_picture_and_on_record(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        node.node_state.record(PodAssigned(source=Source.CRI_PROXY, pod=POD))
        on_record = node.finish()

    assert only(PodAssigned, on_record).pod == POD
    assert node.node_state.pod_ref("s1") == POD
    assert node.node_state.pod_ref("s2") == PodRef(pod_sandbox_id="s2")


@pytest.mark.root
def test_a_container_is_compared_with_siblings_that_run_and_no_others(tmp_path: Path) -> None:
    with (
        box(tmp_path) as node,
        sleeping("unshare --ipc") as older,
        sleeping(f"nsenter -t {older.pid} --ipc") as younger,
    ):
        sandbox = read_namespaces(os.getpid())
        node.node_state.record(PodAssigned(source=Source.CRI_PROXY, pod=POD, actual=sandbox))
        started(node, "older", read_namespaces(older.pid))
        started(node, "younger", read_namespaces(younger.pid))
        assert sharing_of_ipc(node, "younger") == "container:older"

        older.kill()
        older.wait()

        assert sharing_of_ipc(node, "younger") == "private"


def test_nothing_is_known_of_a_pod_that_was_forgotten(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        node.evidence.adopt("s1")
        node.observer.look_at_started("c1", source=Source.CRI_PROXY)
        assert set(node.node_state.known) == {"s1", "c1"}

        node.node_state.forget_container("c1")
        assert set(node.node_state.known) == {"s1"}
        node.node_state.forget_pod("s1")

        assert not node.node_state.known
        assert [e for e in node.finish() if isinstance(e, Gap)] == []


@pytest.mark.root
def test_a_container_is_held_against_where_its_assigned_path_leads(tmp_path: Path) -> None:
    with box(tmp_path) as node, sleeping("unshare --ipc") as stranger, sleeping() as app:
        node.node_state.record(
            ContainerAssigned(
                source=Source.CRI_PROXY,
                pod=POD,
                container=ContainerRef(container_id="c-app", name="app"),
                assigned={NamespaceType.IPC: f"/proc/{stranger.pid}/ns/ipc"},
            )
        )
        started(node, "app", read_namespaces(app.pid))
        known = node.node_state.workloads.container("c-app")
        assert known is not None
        actual = known[1].actual
        assert actual is not None

        judged = node.node_state.judge(*known, actual)[NamespaceType.IPC]

    assert judged.verdict is Verdict.MISMATCH
    assert judged.differ == (LayerPair.ASSIGNED_ACTUAL,)
