"""What was found without a call to tell of it, looked at again and put on record as a find.

Each find is marked `reconcile`. The record's time is when it was found and `not_before` when it was
looked for last: nothing is said of when it happened in between.
"""

from __future__ import annotations

from nsledger.auditor.jobs import Exited
from nsledger.auditor.node_state import NodeState, alive
from nsledger.auditor.observer import Observer
from nsledger.auditor.runtime_status import RuntimeStatusClient, StatusUnavailable
from nsledger.cri.status import ContainerState, ContainerStatus
from nsledger.model.events import (
    ContainerRemoved,
    ContainerStarted,
    ContainerStopped,
    DatedBy,
    Ending,
    NamespaceChanged,
    PodAssigned,
    PodRemoved,
    PodStopped,
    Source,
)
from nsledger.model.namespaces import NamespaceReading
from nsledger.model.record import Moment, rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import Clock
from nsledger.state.pod import Pod


class DriftRecorder:
    """Belongs to the follow-up worker's thread, as the node state does."""

    def __init__(
        self,
        *,
        runtime_status: RuntimeStatusClient,
        observer: Observer,
        node_state: NodeState,
        clock: Clock,
    ) -> None:
        self._runtime_status = runtime_status
        self._observer = observer
        self._node_state = node_state
        self._clock = clock
        self._began = ""
        self._last_began = ""
        self._skipped: set[str] = set()
        self._last_skipped: set[str] = set()

    def begin_round(self) -> None:
        """Everything is looked at from now on."""
        self._began = rfc3339(self._clock.now().time_ns)
        self._skipped = set()

    def skip(self, id_: str) -> None:
        """One thing is not looked at in this round: the next one cannot say what it was before."""
        self._skipped.add(id_)

    def end_round(self) -> None:
        """Everything was looked at: what is found from now on happened after this round began."""
        self._last_began, self._last_skipped = self._began, self._skipped

    def _not_before(self, id_: str) -> str:
        return "" if id_ in self._last_skipped else self._last_began

    def new_sandbox(self, pod_sandbox_id: str) -> None:
        """A sandbox is there that nobody told of."""
        status = self._runtime_status.sandbox(pod_sandbox_id, may_be_gone=True)
        if isinstance(status, StatusUnavailable):
            self.skip(pod_sandbox_id)
            return
        pod = self._node_state.pod_ref(pod_sandbox_id)
        self._observer.saw_sandbox(
            pod, status, source=Source.RECONCILE, not_before=self._not_before(pod_sandbox_id)
        )
        if not status.ready:
            self.ended_sandbox(pod_sandbox_id)

    def new_container(self, container_id: str, pod_sandbox_id: str = "") -> None:
        """A container is there that nobody told of, or that nobody saw start.

        `pod_sandbox_id` is as the runtime lists it: not every status tells it (cri-dockerd).
        """
        status = self._runtime_status.container(container_id, may_be_gone=True)
        if isinstance(status, StatusUnavailable):
            self.skip(container_id)
            return
        known = self._node_state.workloads.container(container_id)
        if known is None or known[1].records.requested is None:
            # Of one that only the hook saw, the runtime tells what was asked and whose it is.
            self._observer.saw_created(
                container_id,
                status,
                source=Source.RECONCILE,
                not_before=self._not_before(container_id),
                asked=(PodRef(pod_sandbox_id=pod_sandbox_id), ContainerRef()),
            )
        self._take_state(container_id, status)

    def ended_sandbox(
        self, pod_sandbox_id: str, ending: Ending = Ending.EXITED, at: Moment | None = None
    ) -> None:
        """Its process has ended, and nobody told; `at` is when the kernel said so."""
        self._node_state.record(
            PodStopped(
                source=Source.RECONCILE,
                not_before=self._not_before(pod_sandbox_id),
                pod=self._node_state.pod_ref(pod_sandbox_id),
                ending=ending,
                ended_at="" if at is None else rfc3339(at.time_ns),
                dated_by=None if at is None else DatedBy.KERNEL,
            )
        )

    def listed_as_ended(self, container_id: str) -> None:
        """The runtime lists a container as ended, and nobody told; its status says when it did."""
        status = self._runtime_status.container(container_id, may_be_gone=True)
        told = None if isinstance(status, StatusUnavailable) else status
        self.ended_container(container_id, finished_ns=told.finished_ns if told else None)

    def ended_container(
        self,
        container_id: str,
        ending: Ending = Ending.EXITED,
        *,
        finished_ns: int | None = None,
        at: Moment | None = None,
    ) -> None:
        """Its process has ended, and nobody told.

        Args:
            container_id: Which.
            ending: How.
            finished_ns: When the runtime says it did, as Unix time.
            at: When the kernel said so; for where the runtime does not.
        """
        pod, container = self._node_state.refs(container_id)
        ended_ns, dated_by = finished_ns, DatedBy.RUNTIME
        if ended_ns is None and at is not None:
            ended_ns, dated_by = at.time_ns, DatedBy.KERNEL
        self._node_state.record(
            ContainerStopped(
                source=Source.RECONCILE,
                not_before=self._not_before(container_id),
                pod=pod,
                container=container,
                ending=ending,
                ended_at="" if ended_ns is None else rfc3339(ended_ns),
                dated_by=None if ended_ns is None else dated_by,
            )
        )

    def exited(self, job: Exited, *, sure: bool) -> bool:
        """The kernel says that a process has ended; False if the runtime is to be given time first.

        Whatever else became of it, the reconciliation finds.
        """
        pod = self._node_state.workloads.pods.get(job.id)
        if pod is not None:
            return self._exited_sandbox(pod, job, sure=sure)
        known = self._node_state.workloads.container(job.id)
        if known is None or not known[1].running or alive(known[1].actual):
            return True
        status = self._runtime_status.container(job.id, may_be_gone=True)
        if isinstance(status, StatusUnavailable):
            return True
        if status.state is ContainerState.EXITED:
            self.ended_container(job.id, finished_ns=status.finished_ns, at=job.at)
        elif not sure:
            return False
        else:
            self.ended_container(job.id, Ending.PROCESS_GONE, at=job.at)
        return True

    def _exited_sandbox(self, pod: Pod, job: Exited, *, sure: bool) -> bool:
        if pod.sandbox_ended or pod.actual is None or alive(pod.actual):
            return True
        status = self._runtime_status.sandbox(job.id, may_be_gone=True)
        if isinstance(status, StatusUnavailable):
            return True
        if status.ready and not sure:
            return False
        self.ended_sandbox(job.id, Ending.PROCESS_GONE if status.ready else Ending.EXITED, job.at)
        return True

    def missing_sandbox(self, pod_sandbox_id: str) -> None:
        """The runtime did not list it; if it really has it no more, it is gone."""
        pod = self._node_state.workloads.pods.get(pod_sandbox_id)
        status = self._runtime_status.sandbox(pod_sandbox_id, may_be_gone=True)
        if pod is None or not isinstance(status, StatusUnavailable) or not status.gone:
            return
        if alive(pod.actual):
            return
        if not pod.sandbox_ended:
            self.ended_sandbox(pod_sandbox_id, Ending.VANISHED)
        if any(one.running and alive(one.actual) for one in pod.containers.values()):
            return  # it is not gone as long as a process of it runs
        self._node_state.record(
            PodRemoved(
                source=Source.RECONCILE, not_before=self._not_before(pod_sandbox_id), pod=pod.ref
            )
        )
        self._node_state.forget_pod(pod_sandbox_id)

    def missing_container(self, container_id: str) -> None:
        """The runtime did not list it; if it really has it no more, it is gone.

        A process that still runs is not: the hook may serve other engines than this runtime.
        """
        known = self._node_state.workloads.container(container_id)
        if known is None or alive(known[1].actual):
            return
        status = self._runtime_status.container(container_id, may_be_gone=True)
        if not isinstance(status, StatusUnavailable) or not status.gone:
            return
        pod, container = known
        if container.sources and not container.ended:
            self.ended_container(container_id, Ending.VANISHED)
        self._node_state.record(
            ContainerRemoved(
                source=Source.RECONCILE,
                not_before=self._not_before(container_id),
                pod=pod.ref,
                container=container.ref,
            )
        )
        self._node_state.forget_container(container_id)

    def resumed_sandbox(self, pod_sandbox_id: str) -> None:
        """On record as ended, and listed as ready: it goes on if its process is there."""
        pod = self._node_state.workloads.pods[pod_sandbox_id]
        if pod.actual is None or not alive(pod.actual):
            return
        self._node_state.record(
            PodAssigned(
                source=Source.RECONCILE,
                not_before=self._not_before(pod_sandbox_id),
                pod=pod.ref,
                actual=pod.actual,
                judgements=pod.judgements,
                unobservable=pod.unobservable,
                still_running=True,
            )
        )
        self._node_state.know(pod_sandbox_id)
        self._compare(pod.actual, pod.ref, None)

    def resumed_container(self, container_id: str) -> None:
        """On record as ended, and listed as running: it goes on if its process is there."""
        known = self._node_state.workloads.container(container_id)
        if known is None or known[1].actual is None or not alive(known[1].actual):
            return
        pod, container = known
        self._node_state.record(
            ContainerStarted(
                source=Source.RECONCILE,
                not_before=self._not_before(container_id),
                pod=pod.ref,
                container=container.ref,
                actual=container.actual,
                judgements=container.judgements,
                witnessed=container.witnessed is not None,
                unobservable=container.unobservable,
                still_running=True,
            )
        )
        self._node_state.know(pod.ref.pod_sandbox_id)
        self._compare(container.actual, pod.ref, container.ref)

    def running_sandbox(self, pod_sandbox_id: str, *, sure: bool) -> bool:
        """Look at the process of a sandbox; False if the runtime is to be given time first."""
        pod = self._node_state.workloads.pods[pod_sandbox_id]
        if pod.actual is None or not pod.actual.pid or alive(pod.actual):
            self._compare(pod.actual, pod.ref, None)
            return True
        if not sure:
            return False
        status = self._runtime_status.sandbox(pod_sandbox_id, may_be_gone=True)
        if not isinstance(status, StatusUnavailable):
            ending = Ending.PROCESS_GONE if status.ready else Ending.EXITED
            self.ended_sandbox(pod_sandbox_id, ending)
        return True

    def running_container(self, container_id: str, *, sure: bool) -> bool:
        """Look at the process of a container; False if the runtime is to be given time first."""
        known = self._node_state.workloads.container(container_id)
        if known is None:
            return True
        pod, container = known
        if container.actual is None or alive(container.actual):
            self._compare(container.actual, pod.ref, container.ref)
            return True
        if not sure:
            return False
        status = self._runtime_status.container(container_id, may_be_gone=True)
        if not isinstance(status, StatusUnavailable):
            exited = status.state is ContainerState.EXITED
            ending = Ending.EXITED if exited else Ending.PROCESS_GONE
            self.ended_container(container_id, ending, finished_ns=status.finished_ns)
        return True

    def _take_state(self, container_id: str, status: ContainerStatus) -> None:
        match status.state:
            case ContainerState.RUNNING:
                self._observer.saw_started(
                    container_id,
                    status,
                    source=Source.RECONCILE,
                    not_before=self._not_before(container_id),
                )
            case ContainerState.EXITED:
                self.ended_container(container_id, finished_ns=status.finished_ns)
            case ContainerState.CREATED | ContainerState.UNKNOWN:
                pass

    def _compare(
        self, before: NamespaceReading | None, pod: PodRef, container: ContainerRef | None
    ) -> None:
        """Read a process again, and record in which types it is somewhere else now."""
        if before is None or before.start_ticks is None:
            return
        actual = read_namespaces(before.pid, start_ticks=before.start_ticks)
        changed = actual.changed_since(before)
        if changed:
            self._node_state.record(
                NamespaceChanged(
                    source=Source.RECONCILE,
                    not_before=self._not_before(
                        container.container_id if container else pod.pod_sandbox_id
                    ),
                    pod=pod,
                    container=container,
                    before=before,
                    actual=actual,
                    changed=changed,
                )
            )
