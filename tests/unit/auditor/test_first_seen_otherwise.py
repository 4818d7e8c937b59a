"""Containers that no answer told of first: seen by the hook alone, or gone at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from nsledger.cri.client import RuntimeCallError
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.cri.status import ContainerStatus
from nsledger.model.events import (
    ContainerAssigned,
    ContainerRemoved,
    ContainerStarted,
    ContainerWitnessed,
    Gap,
    Source,
)
from nsledger.model.namespaces import NamespaceMode, NamespaceReading, RequestedNamespaces
from nsledger.model.refs import ContainerRef
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

ASKED = RequestedNamespaces(pid=NamespaceMode.CONTAINER)
START = pb.StartContainerRequest(container_id="c1").SerializeToString()
REMOVE = pb.RemoveContainerRequest(container_id="c1").SerializeToString()


class Repeating(FakeRuntime):
    """Repeats in its status what was asked."""

    def container_status(self, container_id: str) -> ContainerStatus:
        return replace(super().container_status(container_id), requested=ASKED)


@dataclass
class Forgetful(FakeRuntime):
    """Does not have a container any more when it is asked."""

    gone: bool = field(default=True)

    def container_status(self, container_id: str) -> ContainerStatus:
        if self.gone:
            raise RuntimeCallError(method="ContainerStatus", code="NOT_FOUND")
        return super().container_status(container_id)


def test_what_only_the_hook_saw_gets_its_pod_its_name_and_what_was_asked(tmp_path: Path) -> None:
    with box(tmp_path, runtime=Repeating()) as node, sleeping() as process:
        node.node_state.record(
            ContainerWitnessed(
                source=Source.OCI_HOOK,
                pod=node.node_state.pod_ref(""),
                container=ContainerRef(container_id="c1"),
                stage="createRuntime",
                actual=NamespaceReading(pid=process.pid),
            )
        )
        node.reconciliation._drift_recorder.new_container("c1", "s1")
        known = node.node_state.workloads.container("c1")

    assert known is not None
    pod, container = known
    assert pod.ref.pod_sandbox_id == "s1"
    assert (container.ref.name, container.requested) == ("app", ASKED)
    assert not container.ended


def test_what_was_removed_at_once_keeps_its_name_and_is_no_gap(tmp_path: Path) -> None:
    with box(tmp_path, runtime=Forgetful()) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        answered(node, Method.REMOVE_CONTAINER, REMOVE)
        on_record = node.finish()

    for event in (only(ContainerAssigned, on_record), only(ContainerRemoved, on_record)):
        assert (event.container.container_id, event.container.name) == ("c1", "app")
        assert (event.pod.pod_sandbox_id, event.pod.name) == ("s1", "cart")
    assert not [event for event in on_record if isinstance(event, Gap)]


def test_a_container_that_ended_before_it_was_looked_at_had_ended(tmp_path: Path) -> None:
    runtime = FakeRuntime()
    with box(tmp_path, runtime=runtime) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        answered(node, Method.CREATE_CONTAINER, create_container(), container_answer())
        node.settle()
        runtime.pid = 2**22 - 1
        answered(node, Method.START_CONTAINER, START)
        on_record = node.finish()

    started = only(ContainerStarted, on_record)
    assert (started.actual, started.unobservable) == (None, "it had ended")
