"""What becomes known after an answer, and from the hook: each call's end on record.

Everything here runs on the follow-up worker's thread, which alone changes the state of the node's
pods.
"""

from __future__ import annotations

from functools import partial
from typing import Final, assert_never

from msgspec import structs

from nsledger.auditor.annotation_cache import AnnotationCache, Predictions
from nsledger.auditor.calls_in_flight import Concerned
from nsledger.auditor.jobs import FollowUp
from nsledger.auditor.node_state import NodeState, alive
from nsledger.auditor.observer import Observer
from nsledger.cri.created import (
    decode_create_container_answer,
    decode_restore_pod_answer,
    decode_run_pod_sandbox_answer,
)
from nsledger.cri.watched_requests import (
    CreateContainer,
    RemoveContainer,
    RemovePodSandbox,
    RestorePod,
    RunPodSandbox,
    StartContainer,
    StopContainer,
    StopPodSandbox,
)
from nsledger.model.events import (
    CallFailed,
    ContainerRemoved,
    ContainerRequested,
    ContainerStopped,
    PodRemoved,
    PodRequested,
    PodStopped,
    Source,
)
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.recorder.ticket import Ticket
from nsledger.spool.inbox import Inbox, Left

_GRPC_OK: Final = 0
_UNPLACED_LIMIT: Final = 1024
"""Containers of no known pod that are kept in mind."""


class CallOutcomes:
    """Turns answers and hook records into events."""

    def __init__(
        self,
        *,
        observer: Observer,
        node_state: NodeState,
        predictions: Predictions,
        annotation_cache: AnnotationCache,
        spool: Inbox,
    ) -> None:
        self.node_state = node_state
        self._predictions = predictions
        self._annotation_cache = annotation_cache
        self._observer = observer
        self._spool = spool
        self._not_found: dict[str, PodRef] = {}
        """Containers that were created through the shim and that the runtime did not have any more
        when it was asked, by id."""

    def remember(self, event: PodRequested | ContainerRequested) -> None:
        """Know a request, which is on record already, until its answer."""
        self.node_state.workloads.apply(event)
        if isinstance(event, ContainerRequested):
            self._predictions.expect(event)

    def follow_up(self, job: FollowUp) -> None:
        """Record what the answer of a watched call led to."""
        asked, audit_id = job.asked.request, job.asked.audit_id
        if job.grpc_status != _GRPC_OK:
            self._failed(job)
            return
        source, node_state, observer = Source.CRI_PROXY, self.node_state, self._observer
        match asked:
            case RunPodSandbox(pod=pod, requested=requested):
                made_id = decode_run_pod_sandbox_answer(job.answer or b"")
                self._sandbox_runs(structs.replace(pod, pod_sandbox_id=made_id), audit_id)
                self._annotation_cache.warm(requested, node_state.known.get(made_id))
            case RestorePod(pod=pod):
                made = decode_restore_pod_answer(job.answer or b"")
                sandbox = structs.replace(pod, pod_sandbox_id=made.pod_sandbox_id)
                self._sandbox_runs(sandbox, audit_id)
                for name, container_id in made.container_ids.items():
                    self._was_created(container_id, sandbox, ContainerRef(name=name), audit_id)
            case CreateContainer(pod=pod, container=container):
                container_id = decode_create_container_answer(job.answer or b"")
                self._was_created(container_id, pod, container, audit_id)
                self._hold_prediction(container_id, audit_id)
            case StartContainer(container_id=container_id):
                self.take_in_spool()
                observer.look_at_started(container_id, source=source)
            case StopContainer(container_id=container_id):
                pod, container = node_state.refs(container_id)
                node_state.record(ContainerStopped(source=source, pod=pod, container=container))
            case RemoveContainer(container_id=container_id):
                pod, container = node_state.refs(container_id)
                node_state.record(ContainerRemoved(source=source, pod=pod, container=container))
                node_state.forget_container(container_id)
                self._not_found.pop(container_id, None)
            case StopPodSandbox(pod_sandbox_id=pod_sandbox_id):
                stopped = node_state.workloads.pods.get(pod_sandbox_id)
                if stopped is None or not stopped.stopped:  # the kubelet asks for it twice
                    node_state.record(
                        PodStopped(source=source, pod=node_state.pod_ref(pod_sandbox_id))
                    )
            case RemovePodSandbox(pod_sandbox_id=pod_sandbox_id):
                node_state.record(PodRemoved(source=source, pod=node_state.pod_ref(pod_sandbox_id)))
                node_state.forget_pod(pod_sandbox_id)
                for container_id, pod in list(self._not_found.items()):
                    if pod.pod_sandbox_id == pod_sandbox_id:
                        del self._not_found[container_id]
            case _:
                assert_never(asked)

    def _was_created(
        self, container_id: str, pod: PodRef, container: ContainerRef, audit_id: str
    ) -> None:
        found = self._observer.look_at_created(
            container_id, source=Source.CRI_PROXY, audit_id=audit_id, asked=(pod, container)
        )
        if not found:
            self._not_found[container_id] = pod

    def settle_not_found(self, concerned: Concerned) -> int:
        """Forget containers that were gone before they could be looked at; how many are a gap.

        A kubelet may remove what it just created. While its call is under way, nobody knows yet
        that it was so; call this only when no answer waits to be followed up.
        """
        missed = [
            container_id
            for container_id, pod in self._not_found.items()
            if not concerned.container(pod.pod_sandbox_id, ContainerRef(container_id=container_id))
        ]
        for container_id in missed:
            del self._not_found[container_id]
        return len(missed)

    def adopt(self, pod_sandbox_id: str) -> None:
        """Look at a sandbox that was there before this daemon, or came past it."""
        if pod_sandbox_id not in self.node_state.known:
            pod = PodRef(pod_sandbox_id=pod_sandbox_id)
            self._observer.look_at_sandbox(pod, source=Source.RECONCILE)

    def take_in_spool(self) -> bool:
        """Put on record what hooks left, if they did; each file goes when its record is written."""
        found = self._spool.take_in()
        for left in found:
            pod, container = self.node_state.refs(left.event.container.container_id)
            event = structs.replace(
                left.event,
                pod=pod if pod.name else left.event.pod,
                container=container if container.name else left.event.container,
            )
            # The file is the copy that is offered again if this one cannot be written.
            ticket = self.node_state.record(event, retry=False)
            ticket.on_done(partial(_settle, left, ticket))
        self.node_state.workloads.forget_unplaced(_UNPLACED_LIMIT)
        return bool(found)

    def _hold_prediction(self, container_id: str, audit_id: str) -> None:
        known = self.node_state.workloads.container(container_id)
        if known is not None:
            pod, container = known
            self._predictions.compare(audit_id, pod.ref.runtime_handler, container.assigned)

    def _failed(self, job: FollowUp) -> None:
        pod, container = PodRef(), ContainerRef()
        request = job.asked.request
        match request:
            case RunPodSandbox() | RestorePod():
                pod = request.pod
            case CreateContainer():
                pod, container = request.pod, request.container
            case StartContainer() | StopContainer() | RemoveContainer():
                pod, container = self.node_state.refs(request.container_id)
            case StopPodSandbox() | RemovePodSandbox():
                pod = self.node_state.pod_ref(request.pod_sandbox_id)
            case _:
                assert_never(request)
        self.node_state.record(
            CallFailed(
                source=Source.CRI_PROXY,
                audit_id=job.asked.audit_id,
                method=job.asked.method,
                grpc_status=job.grpc_status,
                pod=pod,
                container=container,
                still_running=isinstance(request, StartContainer)
                and self._has_process(request.container_id),
            )
        )

    def _has_process(self, container_id: str) -> bool:
        known = self.node_state.workloads.container(container_id)
        return known is not None and alive(known[1].actual) is not None

    def _sandbox_runs(self, pod: PodRef, audit_id: str) -> None:
        self._observer.look_at_sandbox(pod, source=Source.CRI_PROXY, audit_id=audit_id)


def _settle(left: Left, ticket: Ticket) -> None:
    left.settle(ticket.error)
