"""The pods and containers that a run of records describes: a fold over events, nothing else.

The daemon folds its own events to know what a call is about; the command line folds a ledger to
answer questions. Both get the same answer from the same records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from nsledger.domain.events import (
    CallFailed,
    ContainerAssigned,
    ContainerRemoved,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    DaemonStopped,
    Event,
    Gap,
    LedgerCreated,
    LedgerRecovered,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    Source,
)
from nsledger.domain.judgement import Judgement
from nsledger.domain.namespaces import (
    AssignedNamespaces,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.domain.workload import ContainerRef, PodRef


@dataclass(slots=True)
class Container:
    """What is known of one container; it grows with each record."""

    ref: ContainerRef
    requested: RequestedNamespaces | None = None
    assigned: AssignedNamespaces = field(default_factory=dict[NamespaceType, str])
    witnessed: NamespaceReading | None = None
    """What the hook read."""
    actual: NamespaceReading | None = None
    """What the daemon read once StartContainer was answered; the hook's reading until then."""
    judgements: dict[NamespaceType, Judgement] = field(
        default_factory=dict[NamespaceType, Judgement]
    )
    unobservable: str = ""
    source: Source = Source.CRI_PROXY
    since: str = ""
    """Time of the record that first saw its process; `seen since` if `source` is reconcile."""
    until: str = ""
    """Time of the record that saw it end; empty while it lives."""
    evidence: list[int] = field(default_factory=list[int])
    """Sequence numbers of the records it was made from."""

    @property
    def running(self) -> bool:
        """Whether a process was seen and no end."""
        return self.actual is not None and not self.until


@dataclass(slots=True)
class Pod:
    """What is known of one pod sandbox and its containers."""

    ref: PodRef
    requested: RequestedNamespaces | None = None
    assigned: AssignedNamespaces = field(default_factory=dict[NamespaceType, str])
    netns_path: str = ""
    ips: tuple[str, ...] = ()
    actual: NamespaceReading | None = None
    judgements: dict[NamespaceType, Judgement] = field(
        default_factory=dict[NamespaceType, Judgement]
    )
    unobservable: str = ""
    source: Source = Source.CRI_PROXY
    since: str = ""
    until: str = ""
    removed: bool = False
    evidence: list[int] = field(default_factory=list[int])
    containers: dict[str, Container] = field(default_factory=dict[str, Container])
    """By `container_id`, in the order they were created."""

    def running_siblings(self, container_id: str) -> dict[str, NamespaceReading]:
        """Readings of the other containers that run now, by name."""
        return {
            other.ref.name: other.actual
            for id_, other in self.containers.items()
            if id_ != container_id and other.running and other.actual is not None
        }


class Workloads:
    """All pods that the records told of, living and gone."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        """By `pod_sandbox_id`, in the order they appeared."""
        self.host: NamespaceReading | None = None
        self.host_reference = ""
        self._requested: dict[str, tuple[int, str, PodRequested | ContainerRequested]] = {}

    def apply(self, event: Event, *, seq: int = 0, time: str = "") -> None:
        """Take in one event, as record `seq` written at `time` (RFC 3339)."""
        match event:
            case PodRequested() | ContainerRequested():
                if event.audit_id:
                    self._requested[event.audit_id] = (seq, time, event)
            case PodAssigned():
                self._pod_assigned(event, seq, time)
            case ContainerAssigned():
                self._container_assigned(event, seq)
            case ContainerWitnessed():
                self._witnessed(event, seq, time)
            case ContainerStarted():
                self._started(event, seq, time)
            case ContainerStopped() | ContainerRemoved():
                self._container_ended(event, seq, time)
            case PodStopped() | PodRemoved():
                self._pod_ended(event, seq, time)
            case CallFailed():
                self._requested.pop(event.audit_id, None)
            case DaemonStarted():
                self.host, self.host_reference = event.host, event.host_reference
            case Gap() | LedgerCreated() | LedgerRecovered() | DaemonStopped():
                pass
            case _:
                assert_never(event)

    def container(self, container_id: str) -> tuple[Pod, Container] | None:
        """The container of that id and its pod; None if no record told of it."""
        for pod in self.pods.values():
            found = pod.containers.get(container_id)
            if found is not None:
                return pod, found
        return None

    def forget_removed(self) -> None:
        """Drop what no later event can speak of; for a daemon that folds for months."""
        for id_ in [id_ for id_, pod in self.pods.items() if pod.removed]:
            del self.pods[id_]

    def _pod(self, ref: PodRef) -> Pod:
        pod = self.pods.get(ref.pod_sandbox_id)
        if pod is None:
            pod = self.pods[ref.pod_sandbox_id] = Pod(ref)
        elif ref.name and not pod.ref.name:
            pod.ref = ref
        return pod

    def _container(self, pod: Pod, ref: ContainerRef) -> Container:
        container = pod.containers.get(ref.container_id)
        if container is None:
            container = pod.containers[ref.container_id] = Container(ref)
        elif ref.name and not container.ref.name:
            container.ref = ref
        return container

    def _pod_assigned(self, event: PodAssigned, seq: int, time: str) -> None:
        pod = self._pod(event.pod)
        asked = self._requested.pop(event.audit_id, None)
        if asked is not None and isinstance(asked[2], PodRequested):
            pod.requested = asked[2].requested
            pod.evidence.append(asked[0])
        pod.assigned, pod.netns_path, pod.ips = event.assigned, event.netns_path, event.ips
        pod.actual, pod.judgements = event.actual, event.judgements
        pod.unobservable, pod.source = event.unobservable, event.source
        pod.since = pod.since or time
        pod.evidence.append(seq)

    def _container_assigned(self, event: ContainerAssigned, seq: int) -> None:
        container = self._container(self._pod(event.pod), event.container)
        asked = self._requested.pop(event.audit_id, None)
        if asked is not None and isinstance(asked[2], ContainerRequested):
            container.requested = asked[2].requested
            container.evidence.append(asked[0])
        container.assigned, container.source = event.assigned, event.source
        container.evidence.append(seq)

    def _witnessed(self, event: ContainerWitnessed, seq: int, time: str) -> None:
        container = self._container(self._pod(event.pod), event.container)
        container.witnessed = event.actual
        container.actual = container.actual or event.actual
        container.assigned = container.assigned or event.assigned
        container.since = container.since or event.hook_time or time
        container.evidence.append(seq)

    def _started(self, event: ContainerStarted, seq: int, time: str) -> None:
        container = self._container(self._pod(event.pod), event.container)
        container.actual = event.actual or container.actual
        container.judgements, container.unobservable = event.judgements, event.unobservable
        container.since = container.since or time
        container.source = event.source
        container.evidence.append(seq)

    def _container_ended(
        self, event: ContainerStopped | ContainerRemoved, seq: int, time: str
    ) -> None:
        container = self._container(self._pod(event.pod), event.container)
        container.until = container.until or time
        container.evidence.append(seq)

    def _pod_ended(self, event: PodStopped | PodRemoved, seq: int, time: str) -> None:
        pod = self._pod(event.pod)
        pod.until = pod.until or time
        pod.removed = pod.removed or isinstance(event, PodRemoved)
        pod.evidence.append(seq)
        for container in pod.containers.values():
            container.until = container.until or time
