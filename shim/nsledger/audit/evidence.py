"""What becomes known after an answer: asked of the runtime, read from the kernel, put on record.

Everything here runs on the witness's thread, which alone changes the picture of the node's pods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, assert_never

from msgspec import structs

from nsledger.audit.jobs import FollowUp
from nsledger.cri.answers import (
    decode_create_container_answer,
    decode_restore_pod_answer,
    decode_run_pod_sandbox_answer,
)
from nsledger.cri.client import RuntimeCallError
from nsledger.cri.messages import UndecodableError
from nsledger.cri.requests import (
    CreateContainer,
    RemoveContainer,
    RemovePodSandbox,
    Request,
    RestorePod,
    RunPodSandbox,
    StartContainer,
    StopContainer,
    StopPodSandbox,
    decode_request,
)
from nsledger.cri.status import ContainerStatus, SandboxStatus
from nsledger.domain.events import (
    CallFailed,
    ContainerAssigned,
    ContainerRemoved,
    ContainerStarted,
    ContainerStopped,
    Event,
    PodAssigned,
    PodRemoved,
    PodStopped,
    Source,
)
from nsledger.domain.judgement import Judgement, judge_container, judge_sandbox
from nsledger.domain.namespaces import (
    AssignedNamespaces,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.domain.record import rfc3339
from nsledger.domain.surroundings import Surroundings
from nsledger.domain.workload import ContainerRef, PodRef
from nsledger.domain.workloads import Container, Pod, Workloads
from nsledger.proc.clock import Clock
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import is_alive
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.ticket import Ticket
from nsledger.spool.inbox import Inbox, Left

_GRPC_OK: Final = 0
_NO_HOST_PID: Final = "no host pid"


@dataclass(frozen=True, slots=True)
class Known:
    """What others join: a sandbox, or a container that was started."""

    pid: int | None
    """None for what has no process here."""
    assigned: AssignedNamespaces


class Runtime(Protocol):
    """What is asked of the runtime; `nsledger.cri.client.RuntimeClient` is one."""

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        """The verbose status of a sandbox."""
        ...

    def container_status(self, container_id: str) -> ContainerStatus:
        """The verbose status of a container."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where evidence comes from."""

    connect: Callable[[], Runtime]
    """Called when the runtime is first asked: gRPC's import is not for the kubelet to wait for."""
    spool: Inbox
    clock: Clock
    host: NamespaceReading


class Evidence:
    """Turns answers and hook records into events, and keeps the picture they add up to."""

    def __init__(self, *, sources: Sources, recorder: Recorder) -> None:
        self.workloads = Workloads()
        self.known: dict[str, Known] = {}
        """By `pod_sandbox_id` and `container_id`. Other threads may look single ids up in it."""
        self._connect = sources.connect
        self._connected: Runtime | None = None
        self._spool = sources.spool
        self._clock = sources.clock
        self._host = sources.host
        self._recorder = recorder

    @property
    def _runtime(self) -> Runtime:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    def close(self) -> None:
        """Give the connection to the runtime and the spool back."""
        if self._connected is not None:
            self._connected.close()
        self._spool.close()

    def follow_up(self, job: FollowUp) -> None:
        """Record what the answer of a watched call led to."""
        asked = decode_request(job.method, job.request)
        if job.grpc_status != _GRPC_OK:
            self._failed(job, asked)
            return
        match asked:
            case RunPodSandbox(pod=pod):
                pod_sandbox_id = decode_run_pod_sandbox_answer(job.answer or b"")
                self._sandbox_runs(structs.replace(pod, pod_sandbox_id=pod_sandbox_id), job)
            case RestorePod(pod=pod):
                made = decode_restore_pod_answer(job.answer or b"")
                self._sandbox_runs(structs.replace(pod, pod_sandbox_id=made.pod_sandbox_id), job)
                for container_id in made.container_ids.values():
                    self._container_created(container_id, job.audit_id)
            case CreateContainer():
                container_id = decode_create_container_answer(job.answer or b"")
                self._container_created(container_id, job.audit_id)
            case StartContainer(container_id=container_id):
                self._container_started(container_id)
            case StopContainer(container_id=container_id):
                pod, container = self._refs(container_id)
                self._say(ContainerStopped(source=Source.CRI_PROXY, pod=pod, container=container))
            case RemoveContainer(container_id=container_id):
                pod, container = self._refs(container_id)
                self._say(ContainerRemoved(source=Source.CRI_PROXY, pod=pod, container=container))
                self.known.pop(container_id, None)
            case StopPodSandbox(pod_sandbox_id=pod_sandbox_id):
                self._say(PodStopped(source=Source.CRI_PROXY, pod=self._pod_ref(pod_sandbox_id)))
            case RemovePodSandbox(pod_sandbox_id=pod_sandbox_id):
                self._say(PodRemoved(source=Source.CRI_PROXY, pod=self._pod_ref(pod_sandbox_id)))
                self._forget(pod_sandbox_id)
            case _:
                assert_never(asked)

    def adopt(self, pod_sandbox_id: str) -> None:
        """Look at a sandbox that was there before this daemon, or came past it."""
        if pod_sandbox_id not in self.known:
            pod = PodRef(pod_sandbox_id=pod_sandbox_id)
            self._look_at_sandbox(pod, source=Source.RECONCILE, audit_id="")

    def take_in_spool(self) -> None:
        """Put on record what hooks left; each file goes when its record is written."""
        for left in self._spool.take_in():
            pod, container = self._refs(left.event.container.container_id)
            event = structs.replace(
                left.event,
                pod=pod if pod.name else left.event.pod,
                container=container if container.name else left.event.container,
            )
            # The file is the copy that is offered again if this one cannot be written.
            ticket = self._say(event, retry=False)
            ticket.on_done(partial(_settle, left, ticket))

    def _failed(self, job: FollowUp, asked: Request) -> None:
        pod, container = PodRef(), ContainerRef()
        match asked:
            case RunPodSandbox() | RestorePod():
                pod = asked.pod
            case CreateContainer():
                pod, container = asked.pod, asked.container
            case StartContainer() | StopContainer() | RemoveContainer():
                pod, container = self._refs(asked.container_id)
            case StopPodSandbox() | RemovePodSandbox():
                pod = self._pod_ref(asked.pod_sandbox_id)
            case _:
                assert_never(asked)
        self._say(
            CallFailed(
                source=Source.CRI_PROXY,
                audit_id=job.audit_id,
                method=job.method,
                grpc_status=job.grpc_status,
                pod=pod,
                container=container,
            )
        )

    def _sandbox_runs(self, pod: PodRef, job: FollowUp) -> None:
        self._look_at_sandbox(pod, source=Source.CRI_PROXY, audit_id=job.audit_id)

    def _look_at_sandbox(self, pod: PodRef, *, source: Source, audit_id: str) -> None:
        try:
            status = self._runtime.pod_sandbox_status(pod.pod_sandbox_id)
        except (RuntimeCallError, UndecodableError) as error:
            self._recorder.gap("status_unavailable", detail=str(error))
            self._say(
                PodAssigned(source=source, audit_id=audit_id, pod=pod, unobservable=str(error))
            )
            return
        process = status.process
        actual = None if process.pid is None else read_namespaces(process.pid)
        requested = self.workloads.requested_by(audit_id) or status.requested
        self._say(
            PodAssigned(
                source=source,
                audit_id=audit_id,
                pod=pod if pod.name else status.pod,
                assigned=process.assigned,
                netns_path=status.netns_path,
                ips=status.ips,
                actual=actual,
                judgements=judge_sandbox(actual, requested, process.assigned, self._host)
                if actual
                else {},
                unobservable="" if actual else _NO_HOST_PID,
            )
        )
        self.known[pod.pod_sandbox_id] = Known(process.pid, process.assigned)

    def _container_created(self, container_id: str, audit_id: str) -> None:
        pod, container = PodRef(), ContainerRef(container_id=container_id)
        assigned: AssignedNamespaces = {}
        try:
            status = self._runtime.container_status(container_id)
        except (RuntimeCallError, UndecodableError) as error:
            self._recorder.gap("status_unavailable", detail=str(error))
        else:
            pod, container = self._pod_ref(status.pod_sandbox_id), status.container
            assigned = status.process.assigned
        self._say(
            ContainerAssigned(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                pod=pod,
                container=container,
                assigned=assigned,
            )
        )

    def _container_started(self, container_id: str) -> None:
        self.take_in_spool()
        known = self.workloads.container(container_id)
        if known is None:
            self._container_created(container_id, audit_id="")
            known = self.workloads.container(container_id)
        if known is None:
            return
        pod, container = known
        actual = self._read_again(container_id, container.witnessed)
        self.known[container_id] = Known(actual.pid if actual else None, container.assigned)
        self._say(
            ContainerStarted(
                source=Source.CRI_PROXY,
                pod=pod.ref,
                container=container.ref,
                actual=actual,
                judgements=self._judge(pod, container, actual) if actual else {},
                witnessed=container.witnessed is not None,
                unobservable="" if actual else _NO_HOST_PID,
            )
        )

    def _read_again(
        self, container_id: str, witnessed: NamespaceReading | None
    ) -> NamespaceReading | None:
        """Read the process that the hook saw, and no other that got its pid since."""
        if witnessed is not None:
            return read_namespaces(witnessed.pid, start_ticks=witnessed.start_ticks)
        try:
            pid = self._runtime.container_status(container_id).process.pid
        except (RuntimeCallError, UndecodableError) as error:
            self._recorder.gap("status_unavailable", detail=str(error))
            return None
        return None if pid is None else read_namespaces(pid)

    def _judge(
        self, pod: Pod, container: Container, actual: NamespaceReading
    ) -> dict[NamespaceType, Judgement]:
        requested = container.requested or RequestedNamespaces()
        siblings = {
            name: reading
            for name, reading in pod.running_siblings(container.ref.container_id).items()
            if _alive(reading)
        }
        target = self.workloads.container(requested.target_id or "")
        around = Surroundings(
            host=self._host,
            sandbox=_alive(pod.actual),
            siblings=siblings,
            target=_alive(target[1].actual) if target else None,
            pod_requested=pod.requested,
        )
        return judge_container(actual, requested, container.assigned, around)

    def _refs(self, container_id: str) -> tuple[PodRef, ContainerRef]:
        known = self.workloads.container(container_id)
        if known is None:
            return PodRef(), ContainerRef(container_id=container_id)
        return known[0].ref, known[1].ref

    def _pod_ref(self, pod_sandbox_id: str) -> PodRef:
        known = self.workloads.pods.get(pod_sandbox_id)
        return PodRef(pod_sandbox_id=pod_sandbox_id) if known is None else known.ref

    def _forget(self, pod_sandbox_id: str) -> None:
        pod = self.workloads.pods.get(pod_sandbox_id)
        for container_id in pod.containers if pod else ():
            self.known.pop(container_id, None)
        self.known.pop(pod_sandbox_id, None)
        self.workloads.forget_removed()

    def _say(self, event: Event, *, retry: bool = True) -> Ticket:
        """Fold the event into the picture, and record it."""
        at = self._clock.now()
        self.workloads.apply(event, time=rfc3339(at.time_ns), boot_id=at.boot_id)
        return self._recorder.record(event, at=at, retry=retry)


def _alive(reading: NamespaceReading | None) -> NamespaceReading | None:
    """The reading, if its process still runs: a dead one's inodes are somebody else's by now."""
    if reading is None or not is_alive(reading.pid, reading.start_ticks or 0):
        return None
    return reading


def _settle(left: Left, ticket: Ticket) -> None:
    left.settle(ticket.error)
