"""The node state of the node's pods: each event is folded into it as it goes on record.

It belongs to the follow-up worker's thread, which alone changes it. It asks nobody: whose
namespaces a container has is judged by what is in the node state and by which of those processes
still run.
"""

from __future__ import annotations

from dataclasses import dataclass

from nsledger.auditor.exit_watch import ExitWatch
from nsledger.auditor.runtime_status import was_looked_at
from nsledger.model.events import (
    ContainerRemoved,
    ContainerStarted,
    ContainerWitnessed,
    Event,
    PodAssigned,
    PodRemoved,
    Source,
)
from nsledger.model.judgement import Judgement
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceReading,
    NamespaceType,
    ReadingSource,
    RequestedNamespaces,
    pinned_paths,
)
from nsledger.model.record import Moment, rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import namespaces_behind
from nsledger.proc.nsfs import read_pins
from nsledger.proc.process import Clock, is_alive
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.ticket import Ticket
from nsledger.rules.claims import JudgementContext
from nsledger.rules.judgement import judge_container
from nsledger.state.pod import Container, Pod
from nsledger.state.pods import Workloads


@dataclass(frozen=True, slots=True)
class Known:
    """What others join: a sandbox, or a container that was started."""

    pid: int | None
    """None for what has no process here."""
    assigned: AssignedNamespaces
    runtime_type: str = ""
    """As in `PodAssigned`; of a container nobody asks."""
    runtime_handler: str = ""
    """As in `PodRef`, likewise."""


class NodeState:
    """What is on record, folded."""

    def __init__(self, *, recorder: Recorder, clock: Clock, host: NamespaceReading) -> None:
        self.host = host
        self.workloads = Workloads()
        self.known: dict[str, Known] = {}
        """By `pod_sandbox_id` and `container_id`. Other threads may look single ids up in it."""
        self._recorder = recorder
        self._clock = clock
        self.exit_watch: ExitWatch | None = None
        """Tells when a process that is on record has ended; None where nobody waits for that."""

    def record(self, event: Event, *, retry: bool = True) -> Ticket:
        """Fold the event into the node state, and record it."""
        at = self._clock.now()
        self.workloads.apply(event, time=rfc3339(at.time_ns), boot_id=at.boot_id)
        self._watch_exit(event)
        return self._recorder.record(event, at=at, retry=retry)

    def apply_remote(self, event: Event, at: Moment) -> None:
        """Fold an event that another process put on record."""
        self.workloads.apply(event, time=rfc3339(at.time_ns), boot_id=at.boot_id)
        self._watch_exit(event)
        match event:
            case PodAssigned():
                self.know(event.pod.pod_sandbox_id)
            case ContainerStarted():
                self.know(self.refs(event.container.container_id)[0].pod_sandbox_id)
            case ContainerRemoved():
                self.forget_container(event.container.container_id)
            case PodRemoved():
                self.forget_pod(event.pod.pod_sandbox_id)
            case _:
                pass

    def watch_exits(self) -> None:
        """Wait for the end of every process that is on record as running."""
        if self.exit_watch is None:
            return
        for id_, pod in self.workloads.pods.items():
            if id_ and not pod.sandbox_ended:
                self.exit_watch.add(id_, pod.actual)
            for container_id, container in pod.containers.items():
                if container.running:
                    self.exit_watch.add(container_id, container.actual)

    def _watch_exit(self, event: Event) -> None:
        if self.exit_watch is None:
            return
        match event:
            case PodAssigned():
                self.exit_watch.add(event.pod.pod_sandbox_id, event.actual)
            case ContainerStarted() | ContainerWitnessed():
                self.exit_watch.add(event.container.container_id, event.actual)
            case _:
                pass

    def know(self, pod_sandbox_id: str) -> None:
        """What can be joined of a pod: what was looked at and has not ended since."""
        pod = self.workloads.pods.get(pod_sandbox_id)
        if pod is None:
            return
        if pod.sources and not pod.sandbox_ended and was_looked_at(pod.unobservable):
            pid = (pod.actual.pid or None) if pod.actual else None
            handler = pod.ref.runtime_handler
            self.known[pod_sandbox_id] = Known(pid, pod.assigned, pod.runtime_type, handler)
        for id_, container in pod.containers.items():
            seen_by = container.sources - {Source.OCI_HOOK}
            if seen_by and not container.ended and was_looked_at(container.unobservable):
                pid = container.actual.pid if container.actual else None
                self.known[id_] = Known(pid, container.assigned)

    def refs(self, container_id: str) -> tuple[PodRef, ContainerRef]:
        """Which pod and container that is, as far as it is known."""
        known = self.workloads.container(container_id)
        if known is None:
            return PodRef(), ContainerRef(container_id=container_id)
        return known[0].ref, known[1].ref

    def pod_ref(self, pod_sandbox_id: str) -> PodRef:
        """Which pod that is, as far as it is known."""
        known = self.workloads.pods.get(pod_sandbox_id)
        return PodRef(pod_sandbox_id=pod_sandbox_id) if known is None else known.ref

    def judge(
        self, pod: Pod, container: Container, actual: NamespaceReading
    ) -> dict[NamespaceType, Judgement]:
        """Compare what a container has with what was asked, assigned, and is alive beside it."""
        requested = container.requested or RequestedNamespaces()
        siblings = {
            name: reading
            for name, reading in pod.running_siblings(container.ref.container_id).items()
            if alive(reading)
        }
        target = self.workloads.container(requested.target_id or "")
        around = JudgementContext(
            host=self.host,
            sandbox=_sandbox_beside(pod, actual),
            siblings=siblings,
            target=alive(target[1].actual) if target else None,
            pod_requested=pod.requested,
            paths=paths_of(container.assigned, actual),
        )
        return judge_container(actual, requested, container.assigned, around)

    def forget_container(self, container_id: str) -> None:
        """Drop a container that was removed."""
        self.known.pop(container_id, None)
        self.workloads.forget_removed()

    def forget_pod(self, pod_sandbox_id: str) -> None:
        """Drop a pod that was removed, and whatever else was by now."""
        pod = self.workloads.pods.get(pod_sandbox_id)
        for container_id in pod.containers if pod else ():
            self.known.pop(container_id, None)
        self.known.pop(pod_sandbox_id, None)
        self.workloads.forget_removed()


def paths_of(
    assigned: AssignedNamespaces, actual: NamespaceReading
) -> dict[str, NamespaceIdentity]:
    """Where the paths lead that a process was to join."""
    paths = [one for one in assigned.values() if one not in {NEW, INHERITED}]
    return namespaces_behind(paths, joined_ticks=actual.start_ticks)


def _sandbox_beside(pod: Pod, actual: NamespaceReading) -> NamespaceReading | None:
    """What the sandbox keeps, now: by its process, by its pins, or by what is left of either.

    A namespace outlives the process that was in it as long as anybody else is. So a sandbox whose
    process is gone still had what was read of it: the kernel never gives an id again, and a number
    of a namespace that lives to no other. Only an equal number, without ids, proves nothing then.
    """
    sandbox = pod.actual
    if sandbox is None:
        return None
    if sandbox.pid and alive(sandbox):
        return sandbox
    pins = read_pins(paths) if (paths := pinned_paths(pod.assigned)) else None
    if not sandbox.pid:
        return pins
    remembered = {
        type_: identity
        for type_, identity in sandbox.namespaces.items()
        if type_ in actual.namespaces
        and (identity.ns_id is not None or not identity.same_as(actual.namespaces[type_]))
    }
    left = dict.fromkeys(set(NamespaceType) - remembered.keys(), "ENOENT")
    return NamespaceReading(pid=0, namespaces=remembered, missing=left).filled_from(
        pins, ReadingSource.PIN
    )


def alive(reading: NamespaceReading | None) -> NamespaceReading | None:
    """The reading, if its process still runs: a dead one's inodes are somebody else's by now."""
    if reading is None or not is_alive(reading.pid, reading.start_ticks or 0):
        return None
    return reading
