"""The pods and containers that a run of records describes: a fold over events, nothing else.

The daemon folds its own events to know what a call is about; the command line folds a ledger to
answer questions. Both get the same answer from the same records.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from nsledger.errors import NsledgerError
from nsledger.model.events import (
    CallFailed,
    ContainerAssigned,
    ContainerRemoved,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonEvent,
    DaemonStarted,
    Event,
    LedgerEvent,
    NamespaceChanged,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    Source,
    UnknownEvent,
)
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceReading, RequestedNamespaces
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.pod import Container, Pod

_PENDING_LIMIT: Final = 4096
"""Requests that wait for what became of them; of more, the oldest are taken for lost."""
_FORGOTTEN_LIMIT: Final = 4096
"""Removed pods and containers whose late records are told from those of unknown ones."""


class Workloads:
    """All pods that the records told of, living and gone."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        """By `pod_sandbox_id`, in the order they appeared. Under the empty id: containers of which
        no record has told the pod yet."""
        self.host: NamespaceReading | None = None
        self.host_reference = ""
        self.cgroup_version = 0
        """1 or 2; 0 if no record told."""
        self._boot_id = ""
        self._pod_of: dict[str, Pod] = {}
        self._pod_requests: dict[str, tuple[int, PodRequested]] = {}
        """By `audit_id`, with the record's sequence number."""
        self._container_requests: dict[tuple[str, str], tuple[int, ContainerRequested]] = {}
        """By `audit_id` and container name: RestorePod asks for several in one call."""
        self._forgotten: dict[str, None] = {}

    def apply_record(self, record: Record) -> None:
        """Take in one record."""
        self.apply(record.event, seq=record.seq, time=record.time, boot_id=record.boot_id)

    def apply(
        self, event: Event | UnknownEvent, *, seq: int = 0, time: str = "", boot_id: str = ""
    ) -> None:
        """Take in one event, as record `seq` written at `time` (RFC 3339) on the boot `boot_id`.

        The first record of another boot ends everything: no process outlives its kernel.
        """
        if boot_id and boot_id != self._boot_id:
            if self._boot_id:
                self._end_all(time)
            self._boot_id = boot_id
        match event:
            case PodRequested():
                self._pod_requests[event.audit_id] = seq, event
                _keep_newest(self._pod_requests, _PENDING_LIMIT)
            case ContainerRequested():
                self._container_requests[event.audit_id, event.container.name] = seq, event
                _keep_newest(self._container_requests, _PENDING_LIMIT)
            case PodAssigned():
                self._pod_assigned(event, seq, time)
            case ContainerAssigned() | ContainerWitnessed() | ContainerStarted():
                self._container_told(event, seq, time)
            case ContainerStopped() | ContainerRemoved():
                self._container_ended(event, seq, time)
            case PodStopped() | PodRemoved():
                self._pod_ended(event, seq, time)
            case CallFailed():
                self._call_failed(event, seq, time)
            case DaemonStarted():
                self.host, self.host_reference = event.host, event.host_reference
                self.cgroup_version = event.cgroup_version
            case NamespaceChanged():
                self._changed(event, seq, time)
            case LedgerEvent() | DaemonEvent() | UnknownEvent():
                pass
            case _:
                assert_never(event)

    def container(self, container_id: str) -> tuple[Pod, Container] | None:
        """The container of that id and its pod; None if no record told of it."""
        pod = self._pod_of.get(container_id)
        return None if pod is None else (pod, pod.containers[container_id])

    def requested_by(self, audit_id: str) -> RequestedNamespaces | None:
        """What the pod of the call `audit_id` asked for, until a record tells what became of it."""
        _, asked = self._pod_requests.get(audit_id, (0, None))
        return None if asked is None else asked.requested

    def forget_removed(self) -> None:
        """Drop what was removed; for a daemon that folds for months.

        A record that comes late (a hook's, from the spool) does not bring it back.
        """
        for pod_sandbox_id, pod in list(self.pods.items()):
            for container_id, container in list(pod.containers.items()):
                if pod.removed or container.removed:
                    del pod.containers[container_id], self._pod_of[container_id]
                    self._forgotten[container_id] = None
            if pod.removed:
                del self.pods[pod_sandbox_id]
                self._forgotten[pod_sandbox_id] = None
        _keep_newest(self._forgotten, _FORGOTTEN_LIMIT)

    def forget_unplaced(self, limit: int) -> None:
        """Drop the oldest containers whose pod no record has told, down to `limit` of them.

        A hook also sees containers that no CRI runtime lists, so nothing may ever end them here.
        """
        unplaced = self.pods.get("")
        if unplaced is None:
            return
        for container_id in list(unplaced.containers)[: len(unplaced.containers) - limit]:
            del unplaced.containers[container_id], self._pod_of[container_id]
        if not unplaced.containers:
            del self.pods[""]

    def _pod(self, ref: PodRef, source: Source) -> Pod:
        id_ = ref.pod_sandbox_id
        pod = self.pods.get(id_)
        if pod is None:
            pod = self.pods[id_] = Pod(ref if id_ else PodRef(), source=source)
        elif id_:
            pod.ref = pod.ref.completed_by(ref)
        return pod

    def _place(
        self, pod_ref: PodRef, ref: ContainerRef, source: Source
    ) -> tuple[Pod, Container] | None:
        """The container, put into its pod as soon as a record tells which; None if forgotten."""
        id_ = ref.container_id
        if not id_ or id_ in self._forgotten or pod_ref.pod_sandbox_id in self._forgotten:
            return None
        home = self._pod_of.get(id_)
        container = Container(ref, source=source) if home is None else home.containers[id_]
        container.ref = container.ref.completed_by(ref)
        if home is None or (pod_ref.pod_sandbox_id and not home.ref.pod_sandbox_id):
            home = self._move(container, home, self._pod(pod_ref, source))
        elif home.ref.pod_sandbox_id == pod_ref.pod_sandbox_id:
            self._pod(pod_ref, source)
        return home, container

    def _move(self, container: Container, old: Pod | None, new: Pod) -> Pod:
        id_ = container.ref.container_id
        if old is not None:
            del old.containers[id_]
            if not old.containers:
                del self.pods[old.ref.pod_sandbox_id]
        new.containers[id_] = container
        self._pod_of[id_] = new
        if new.stopped:
            container.end(new.sandbox_until)
        return new

    def _pod_assigned(self, event: PodAssigned, seq: int, time: str) -> None:
        if event.pod.pod_sandbox_id in self._forgotten:
            return
        pod = self._pod(event.pod, event.source)
        asked_seq, asked = self._pod_requests.pop(event.audit_id, (None, None))
        if asked is not None and asked_seq is not None:
            pod.take_requested(asked, asked_seq)
        pod.take_assigned(event, seq, time)

    def _container_told(
        self, event: ContainerAssigned | ContainerWitnessed | ContainerStarted, seq: int, time: str
    ) -> None:
        placed = self._place(event.pod, event.container, event.source)
        if placed is None:
            return
        pod, container = placed
        match event:
            case ContainerAssigned():
                key = event.audit_id, event.container.name
                asked_seq, asked = self._container_requests.pop(key, (None, None))
                if asked is not None and asked_seq is not None:
                    container.take_requested(asked, asked_seq)
                container.take_assigned(event, seq)
            case ContainerWitnessed():
                container.take_witnessed(event, seq, time)
                pod.end_older_attempts(container)
            case ContainerStarted():
                container.take_started(event, seq, time)
                pod.end_older_attempts(container)
                pod.end_whose_numbers_were_reused(container)
            case _:
                assert_never(event)

    def _changed(self, event: NamespaceChanged, seq: int, time: str) -> None:
        if event.container is not None:
            placed = self._place(event.pod, event.container, event.source)
            if placed is not None:
                placed[1].take_changed(event, seq, time)
        elif event.pod.pod_sandbox_id and event.pod.pod_sandbox_id not in self._forgotten:
            self._pod(event.pod, event.source).take_changed(event, seq, time)

    def _container_ended(
        self, event: ContainerStopped | ContainerRemoved, seq: int, time: str
    ) -> None:
        if not event.pod.pod_sandbox_id and event.container.container_id not in self._pod_of:
            return
        placed = self._place(event.pod, event.container, event.source)
        if placed is not None:
            _, container = placed
            ending = event.ending if isinstance(event, ContainerStopped) else None
            container.end(_ended_at(event, container.since, time), ending)
            container.removed = container.removed or isinstance(event, ContainerRemoved)
            container.evidence.append(seq)

    def _pod_ended(self, event: PodStopped | PodRemoved, seq: int, time: str) -> None:
        if not event.pod.pod_sandbox_id or event.pod.pod_sandbox_id in self._forgotten:
            return
        pod = self._pod(event.pod, event.source)
        if isinstance(event, PodStopped) and event.source is Source.RECONCILE:
            pod.end_sandbox(_ended_at(event, pod.since, time), event.ending)
        else:
            pod.end(time, event.ending if isinstance(event, PodStopped) else None)
        pod.removed = pod.removed or isinstance(event, PodRemoved)
        pod.evidence.append(seq)

    def _call_failed(self, event: CallFailed, seq: int, time: str) -> None:
        self._pod_requests.pop(event.audit_id, None)
        for key in [key for key in self._container_requests if key[0] == event.audit_id]:
            del self._container_requests[key]
        found = self.container(event.container.container_id)
        if found is None or event.method != "StartContainer" or event.grpc_status is None:
            return
        _, container = found
        container.evidence.append(seq)
        if event.still_running or container.sources - {Source.OCI_HOOK}:
            return  # it had started before, so this call neither started nor ended it
        # The hook may have seen a process; the runtime has done away with it before it answered.
        container.start_failed = True
        container.end(time)

    def _end_all(self, time: str) -> None:
        self._pod_requests.clear()
        self._container_requests.clear()
        for pod in self.pods.values():
            pod.end(time)


def _ended_at(
    event: ContainerStopped | ContainerRemoved | PodStopped, since: str, time: str
) -> str:
    """When it ended: as the record dates it, if that is between its beginning and the record.

    A clock that was set in between gives a date that is neither.
    """
    dated = "" if isinstance(event, ContainerRemoved) else event.ended_at
    if not dated or not since or not unix_ns(since) <= unix_ns(dated) <= unix_ns(time):
        return time
    return dated


def _keep_newest(entries: dict[Any, Any], limit: int) -> None:
    while len(entries) > limit:
        del entries[next(iter(entries))]


_SHORTEST_ID: Final = 4
"""Fewer characters of an id could be part of too many names."""


class UnknownPodError(NsledgerError):
    """No record tells of such a pod."""

    hint = "`nsledger log --event pod.assigned` lists the pods that are on record."

    def __init__(self, *, asked: str, on_record: int, names: Iterable[str]) -> None:
        """`on_record` is how many pods are; `names` are what some of them are called."""
        close = difflib.get_close_matches(asked, [*dict.fromkeys(names)], n=3, cutoff=0.5)
        similar = f"; there is {', '.join(map(repr, close))}" if close else ""
        super().__init__(f"no pod {asked!r} among the {on_record} on record{similar}")
        self.asked = asked


class AmbiguousPodError(NsledgerError):
    """Several pods fit."""

    def __init__(self, *, asked: str, pods: Sequence[Pod]) -> None:
        super().__init__(f"{asked!r} fits {len(pods)} pods, needed one")
        self.asked, self.pods = asked, pods


def find_pod(workloads: Workloads, asked: str) -> Pod:
    """The one pod that `asked` means.

    What lives comes before what is gone, and of several sandboxes of one pod the newest counts.

    Raises:
        UnknownPodError: no record tells of it.
        AmbiguousPodError: it may be several pods.
    """
    known = [pod for id_, pod in workloads.pods.items() if id_]
    fitting = [pod for pod in known if _fits(pod, asked)]
    if not fitting:
        names = (name for pod in known for name in (pod.ref.full_name, pod.ref.name))
        raise UnknownPodError(asked=asked, on_record=len(known), names=names)
    newest = _newest_of_each(fitting)
    living = [pod for pod in newest if not pod.ended]
    if len(living) == 1:
        return living[0]
    candidates = living or newest
    if len({pod.ref.full_name for pod in candidates}) > 1 or living:
        raise AmbiguousPodError(asked=asked, pods=candidates)
    return candidates[-1]


def _fits(pod: Pod, asked: str) -> bool:
    if asked in {pod.ref.name, pod.ref.full_name, pod.ref.uid} - {""}:
        return True
    ids = [pod.ref.pod_sandbox_id, *pod.containers]
    return len(asked) >= _SHORTEST_ID and any(id_.startswith(asked) for id_ in ids)


def _newest_of_each(pods: Iterable[Pod]) -> list[Pod]:
    """One per Kubernetes pod: a living sandbox, else the one that came last."""
    newest: dict[tuple[str, str], Pod] = {}
    for pod in pods:
        key = pod.ref.full_name, pod.ref.uid
        if key not in newest or newest[key].ended or not pod.ended:
            newest[key] = pod
    return list(newest.values())
