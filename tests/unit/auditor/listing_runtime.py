"""A runtime whose sandboxes and containers come and go as a test says, with their processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nsledger.cri.client import RuntimeCallError
from nsledger.cri.status import (
    ContainerState,
    ContainerStatus,
    ListedContainer,
    ListedSandbox,
    ProcessStatus,
    SandboxStatus,
)
from nsledger.model.events import (
    UNCLEAN_STOP,
    ContainerStarted,
    DaemonStopped,
    Event,
    Gap,
    PodAssigned,
    Source,
    UnknownEvent,
)
from nsledger.model.namespaces import NamespaceReading, RequestedNamespaces
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from tests.unit.auditor.node_in_a_box import OF_THE_HOST, Box, FakeRuntime

RUNC = "io.containerd.runc.v2"
INTERVAL_S = 0.05


@dataclass
class ThatSandbox:
    pid: int | None = field(default_factory=os.getpid)
    ready: bool = True
    runtime_type: str = RUNC
    requested: RequestedNamespaces = field(default_factory=RequestedNamespaces)


@dataclass
class ThatContainer:
    pod_sandbox_id: str
    pid: int | None = field(default_factory=os.getpid)
    state: ContainerState = ContainerState.RUNNING
    runtime_type: str = RUNC
    requested: RequestedNamespaces | None = None
    finished_ns: int | None = None


@dataclass
class ListingRuntime(FakeRuntime):
    """Everything in its tables is listed and told of; of all else it says NOT_FOUND."""

    sandboxes: dict[str, ThatSandbox] = field(default_factory=dict[str, ThatSandbox])
    containers: dict[str, ThatContainer] = field(default_factory=dict[str, ThatContainer])
    unlisted: set[str] = field(default_factory=set[str])
    """What its lists leave out although it is there."""
    meanwhile: Callable[[], None] = field(default=lambda: None)
    """Happens while it makes its lists."""

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        self._answer(pod_sandbox_id)
        found = self.sandboxes.get(pod_sandbox_id)
        if found is None:
            raise RuntimeCallError(method="PodSandboxStatus", code="NOT_FOUND")
        return SandboxStatus(
            pod=_pod(pod_sandbox_id),
            ready=found.ready,
            requested=found.requested,
            process=_process(found.pid, found.runtime_type),
            netns_path="",
            ips=(),
        )

    def container_status(self, container_id: str) -> ContainerStatus:
        self._answer(container_id)
        found = self.containers.get(container_id)
        if found is None:
            raise RuntimeCallError(method="ContainerStatus", code="NOT_FOUND")
        return ContainerStatus(
            pod_sandbox_id=found.pod_sandbox_id,
            container=_container(container_id),
            state=found.state,
            finished_ns=found.finished_ns,
            requested=found.requested,
            process=_process(found.pid, found.runtime_type),
        )

    def list_pod_sandboxes(self) -> tuple[ListedSandbox, ...]:
        self._answer("sandboxes")
        return tuple(
            ListedSandbox(pod=_pod(id_), ready=one.ready)
            for id_, one in self.sandboxes.items()
            if id_ not in self.unlisted
        )

    def list_containers(self) -> tuple[ListedContainer, ...]:
        self._answer("containers")
        self.meanwhile()
        return tuple(
            ListedContainer(
                pod_sandbox_id=one.pod_sandbox_id, container=_container(id_), state=one.state
            )
            for id_, one in self.containers.items()
            if id_ not in self.unlisted
        )


def _pod(pod_sandbox_id: str) -> PodRef:
    return PodRef(pod_sandbox_id=pod_sandbox_id, name=f"pod-{pod_sandbox_id}", k8s_namespace="shop")


def _container(container_id: str) -> ContainerRef:
    return ContainerRef(container_id=container_id, name=f"name-{container_id}", image="app:1")


def _process(pid: int | None, runtime_type: str) -> ProcessStatus:
    return ProcessStatus(
        pid=pid,
        assigned=OF_THE_HOST,
        uid_mappings=(),
        gid_mappings=(),
        runtime_type=runtime_type,
    )


def one_pod() -> ListingRuntime:
    """A runtime with one pod of one container."""
    return ListingRuntime(sandboxes={"s1": ThatSandbox()}, containers={"c1": ThatContainer("s1")})


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.002)


def rounds(node: Box, count: int = 1) -> None:
    """Wait until so many more rounds were begun and finished."""
    target = node.reconciliation.rounds + count + 1
    until(lambda: node.reconciliation.rounds >= target)


def told(on_record: list[Event | UnknownEvent]) -> list[Event | UnknownEvent]:
    """All but what a daemon begins with: its own record, and that the one before was killed."""
    return [
        event
        for event in on_record
        if not isinstance(event, DaemonStopped)
        and not (isinstance(event, Gap) and event.reason == UNCLEAN_STOP)
    ]


def adopt(node: Box, *, actual: NamespaceReading) -> None:
    """Put the one pod and container on record, as having been seen by the shim."""
    pod = PodRef(pod_sandbox_id="s1", name="pod-s1", k8s_namespace="shop")
    node.node_state.record(
        PodAssigned(source=Source.CRI_PROXY, pod=pod, actual=read_namespaces(os.getpid()))
    )
    container = ContainerRef(container_id="c1", name="name-c1")
    node.node_state.record(
        ContainerStarted(source=Source.CRI_PROXY, pod=pod, container=container, actual=actual)
    )
