"""From records to findings: a fold, pure. What nobody saw is no finding, only that nobody saw it.

That something went past the shim is only said of what happened while the shim watched and missed
nothing: what was there before, what came while nobody watched, and what may be behind a gap is not
held against anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from nsledger.model.events import (
    UNCLEAN_STOP,
    ContainerAssigned,
    ContainerEvent,
    ContainerRemoved,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    Ending,
    Gap,
    LedgerPruned,
    NamespaceChanged,
    PodAssigned,
    PodRemoved,
    PodStopped,
    SegmentAltered,
    Source,
)
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceReading, NamespaceType, pinned_paths
from nsledger.model.record import Record, rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state import process_findings
from nsledger.state.coverage import Unwatched, Watch
from nsledger.state.findings import Finding, FindingCollector, Key, Kind, Severity, Sighting
from nsledger.state.process_findings import NodeFacts

_MARGIN_NS: Final = 5_000_000_000
"""A gap's times are when something was missed; what it was about may be this far away."""
_SPOOL: Final = "spool_"
_DAY_NS: Final = 24 * 3600 * 1_000_000_000


class Inspection:
    """Findings of the records taken in so far."""

    def __init__(self) -> None:
        self._collector = FindingCollector()
        self._watch = Watch()
        self._node = NodeFacts()
        self._boot_id = ""
        self._watched_since = ""
        self._holes: list[Unwatched] = []
        self._pods: dict[str, PodRef] = {}
        """By `pod_sandbox_id`: the hook may not know more of a pod than that."""
        self._by_shim: set[str] = set()
        """Ids of containers that the shim saw being made."""
        self._by_hook: set[str] = set()
        """Ids of containers that the hook saw."""
        self._removals: list[tuple[int, int]] = []
        """Of the last day: when, by the monotonic clock, and how many records."""
        self._hook_ever_saw = False
        self._engine = ""
        """Which runtime the node has, as far as its pods tell."""
        self._unhooked: dict[str, Sighting] = {}
        """Starts that the hook did not see, by container id."""
        self._in_doubt: dict[Key, tuple[str, str]] = {}
        """What seems to have gone past the shim or ended unasked, and in which span of time."""

    def apply(self, record: Record) -> None:
        """Take in the next record."""
        if record.boot_id != self._boot_id:
            self._collector.end_all(record.time)
            self._boot_id = record.boot_id
        hole = self._watch.apply(record)
        if hole is not None:
            self._holes.append(hole)
        event = record.event
        match event:
            case DaemonStarted():
                self._daemon_started(record, event, hole)
            case PodAssigned():
                self._pods[event.pod.pod_sandbox_id] = event.pod
                self._engine = _engine_of(event) or self._engine
                self._enter(process_findings.of_start(record, event, self._node))
                if event.source is Source.CRI_PROXY:
                    self._came_through_shim(event.pod.pod_sandbox_id)
                if event.still_running:
                    self._goes_on(event.pod, None)
                else:
                    self._found(record, event, "found running")
            case ContainerAssigned() if event.source is Source.CRI_PROXY:
                self._by_shim.add(event.container.container_id)
                self._came_through_shim(event.container.container_id)
            case ContainerStarted():
                self._container_started(record, event)
            case ContainerWitnessed():
                self._witnessed(record, event)
            case NamespaceChanged():
                self._collector.enter(process_findings.of_change(record, event, self._node))
            case PodStopped() | ContainerStopped():
                self._unasked_end(record, event)
                if event.ending is Ending.VANISHED:
                    self._found(record, event, "gone from the runtime")
                self._ended(record, event)
            case PodRemoved() | ContainerRemoved():
                self._found(record, event, "removed from the runtime")
                self._ended(record, event)
            case Gap():
                self._gap(record, event)
            case LedgerPruned():
                self._pruned(record, event)
            case SegmentAltered():
                said = f"{event.segment} was {event.alteration} by someone else"
                self._collector.enter(
                    Sighting(Kind.SEGMENT_ALTERED, Severity.HIGH, said, record, what=event.segment)
                )
            case _:
                pass

    def findings(self) -> list[Finding]:
        """What is found by now: the worst first, and of equals what was seen first."""
        for key, (since, until) in list(self._in_doubt.items()):
            if self._may_be_missed(since, until):
                self._collector.withdraw(key)
        if self._unhooked and not self._hook_ever_saw:
            self._blame_the_installation()
        return sorted(
            self._collector.findings(), key=lambda one: (one.severity.rank, unix_ns(one.first_time))
        )

    def _enter(self, sightings: Iterable[Sighting]) -> None:
        for sighting in sightings:
            self._collector.enter(sighting)

    def _daemon_started(self, record: Record, event: DaemonStarted, hole: Unwatched | None) -> None:
        self._node = NodeFacts(event.host, event.cgroup_version)
        self._watched_since = self._watched_since or record.time
        if hole is not None:
            self._collector.enter(
                Sighting(
                    Kind.UNWATCHED,
                    Severity.MEDIUM if "killed" in hole.reason else Severity.LOW,
                    f"nobody watched: {hole.reason}",
                    record,
                    what=str(record.seq),
                    since=hole.since,
                )
            )

    def _container_started(self, record: Record, event: ContainerStarted) -> None:
        container_id = event.container.container_id
        self._enter(process_findings.of_start(record, event, self._node))
        hooked = event.witnessed or container_id in self._by_hook
        if event.still_running:
            self._goes_on(event.pod, event.container)
            return
        if event.source is not Source.CRI_PROXY:
            unseen = "" if hooked else ", unseen by the hook too"
            self._found(record, event, f"found running{unseen}")
            return
        self._by_shim.add(container_id)
        self._came_through_shim(container_id)
        if not hooked and event.actual is not None:
            self._unhooked[container_id] = Sighting(
                Kind.HOOK_MISSING,
                Severity.MEDIUM,
                "started, and the hook did not see it",
                record,
                pod=event.pod,
                container=event.container,
                lasts=True,
                remedy=_HOOK_REMEDIES.get(self._engine, ""),
            )
            self._collector.enter(self._unhooked[container_id])

    def _witnessed(self, record: Record, event: ContainerWitnessed) -> None:
        container_id = event.container.container_id
        self._hook_ever_saw = True
        self._by_hook.add(container_id)
        late = self._unhooked.pop(container_id, None)
        if late is not None:
            self._collector.withdraw(late.key)
        self._enter(process_findings.partial(record, event, self._node))
        then = event.hook_time or record.time
        if container_id in self._by_shim or not self._watched_since:
            return
        if _is_foreign(event):
            self._collector.enter(
                Sighting(
                    Kind.FOREIGN,
                    Severity.INFO,
                    f"started by {event.engine}, which is not the kubelet's runtime",
                    record,
                    pod=event.pod,
                    container=event.container,
                    lasts=True,
                )
            )
            return
        if unix_ns(then) >= unix_ns(self._watched_since):
            sighting = Sighting(
                Kind.SHIM_BYPASSED,
                Severity.HIGH,
                "started, and only the hook saw it: no call came through the shim",
                record,
                pod=self._pods.get(event.pod.pod_sandbox_id, event.pod),
                container=event.container,
                lasts=True,
            )
            self._collector.enter(sighting)
            self._in_doubt[sighting.key] = then, then

    def _found(
        self,
        record: Record,
        event: PodAssigned
        | ContainerStarted
        | PodStopped
        | ContainerStopped
        | PodRemoved
        | ContainerRemoved,
        said: str,
    ) -> None:
        """Reconcile found it, and it was not so at its look before."""
        if event.source is not Source.RECONCILE or not event.not_before:
            return
        since = event.not_before
        if isinstance(event, PodAssigned | ContainerStarted) and event.actual is not None:
            since = max(since, process_start(record, event.actual), key=unix_ns)
        sighting = Sighting(
            Kind.SHIM_BYPASSED,
            Severity.HIGH,
            f"{said}: no call came through the shim",
            record,
            pod=event.pod,
            container=event.container if isinstance(event, ContainerEvent) else None,
            since=since,
            lasts=isinstance(event, PodAssigned | ContainerStarted),
        )
        if isinstance(event, PodRemoved | ContainerRemoved) and sighting.key in self._in_doubt:
            return  # its end is told already
        self._collector.enter(sighting)
        self._in_doubt[sighting.key] = since, record.time

    def _unasked_end(self, record: Record, event: PodStopped | ContainerStopped) -> None:
        """A process ended, and nobody who watched then saw a call for it.

        Where not even the time is known between which looks it ended, nobody can be said to have
        watched: after a start, what ended while nobody watched is found like this.
        """
        if not event.ended_at and not event.not_before:
            return
        for sighting in process_findings.of_end(record, event):
            self._collector.enter(sighting)
            self._in_doubt[sighting.key] = (
                event.ended_at or event.not_before,
                event.ended_at or record.time,
            )

    def _goes_on(self, pod: PodRef, container: ContainerRef | None) -> None:
        """It had not ended after all: what its end showed was nothing."""
        id_ = "" if container is None else container.container_id
        for kind in (Kind.PROCESS_GONE, Kind.SHIM_BYPASSED):
            self._collector.withdraw((kind, pod.pod_sandbox_id, id_, ""))
            self._in_doubt.pop((kind, pod.pod_sandbox_id, id_, ""), None)

    def _came_through_shim(self, id_: str) -> None:
        """Its call is on record after all: two daemons that hand over do not write in order."""
        for key in list(self._in_doubt):
            if key[0] is Kind.SHIM_BYPASSED and id_ == (key[2] or key[1]):
                del self._in_doubt[key]
                self._collector.withdraw(key)

    def _ended(
        self, record: Record, event: PodStopped | PodRemoved | ContainerStopped | ContainerRemoved
    ) -> None:
        if isinstance(event, PodStopped | PodRemoved):
            self._collector.end(event.pod.pod_sandbox_id, record.time)
            if isinstance(event, PodRemoved):
                self._pods.pop(event.pod.pod_sandbox_id, None)
            return
        container_id = event.container.container_id
        self._collector.end(container_id, record.time)
        if isinstance(event, ContainerRemoved):
            self._by_shim.discard(container_id)
            self._by_hook.discard(container_id)

    def _gap(self, record: Record, event: Gap) -> None:
        if event.reason == UNCLEAN_STOP:
            return  # the start that follows is the same, as `unwatched`
        in_spool = event.reason.startswith(_SPOOL)
        said = f"set aside in the spool: {event.reason.removeprefix(_SPOOL)}"
        self._collector.enter(
            Sighting(
                Kind.SPOOL_QUARANTINED if in_spool else Kind.GAP,
                Severity.LOW if in_spool else Severity.MEDIUM,
                f"{{count}} {said if in_spool else f'missed: {event.reason}'}",
                record,
                what=event.reason,
                since=event.first_time,
                count=event.count or 1,
            )
        )

    def _pruned(self, record: Record, event: LedgerPruned) -> None:
        """A rule takes the oldest of many segments at a time; most of the ledger is no share."""
        self._removals = [
            (mono_ns, removed)
            for mono_ns, removed in self._removals
            if 0 <= record.mono_ns - mono_ns <= _DAY_NS
        ]
        self._removals.append((record.mono_ns, event.through_seq - event.from_seq + 1))
        removed = sum(count for _, count in self._removals)
        kept = record.seq - 1 - event.through_seq
        if removed > 2 * kept:
            self._collector.enter(
                Sighting(
                    Kind.LEDGER_PRUNED,
                    Severity.MEDIUM,
                    f"{removed} of {removed + kept} records were removed within a day "
                    f"by {event.rule}",
                    record,
                    what=event.rule,
                )
            )

    def _may_be_missed(self, since: str, until: str) -> bool:
        """Whether a call of that time may have come through the shim and not be on record."""
        first, last = unix_ns(since) - _MARGIN_NS, unix_ns(until) + _MARGIN_NS
        return any(
            unix_ns(hole.since) <= last and first <= unix_ns(hole.until) for hole in self._holes
        )

    def _blame_the_installation(self) -> None:
        """Where the hook never saw anything, one finding says so, not one for each container."""
        for sighting in self._unhooked.values():
            self._collector.withdraw(sighting.key)
            self._collector.enter(
                Sighting(
                    Kind.HOOK_MISSING,
                    Severity.MEDIUM,
                    "{count} started, and the hook never saw one: it is not installed",
                    sighting.record,
                    lasts=True,
                    remedy=sighting.remedy,
                )
            )
        self._unhooked.clear()


_TICK_NS: Final = 10_000_000
"""USER_HZ is 100 on every architecture of Linux."""


def process_start(record: Record, reading: NamespaceReading) -> str:
    """When the process of `reading` began, by the kernel, in RFC 3339; no later than the record.

    Both clocks of the record tell when the boot was. A start that is not known is the
    epoch.
    """
    at_ns = unix_ns(record.time)
    if reading.start_ticks is None:
        return rfc3339(0)  # unknown: any look is later
    began_ns = at_ns - record.mono_ns + reading.start_ticks * _TICK_NS
    return rfc3339(min(at_ns, max(0, began_ns)))


_OF_THE_KUBELET: Final = frozenset({"", "containerd", "cri-o"})
"""Engines whose containers may be a kubelet's, or from which nothing can be told."""


def _is_foreign(event: ContainerWitnessed) -> bool:
    """Whether another engine of the node started it, for no pod."""
    return event.engine not in _OF_THE_KUBELET and not event.pod.pod_sandbox_id


_HOOK_REMEDIES: Final = {
    "containerd": (
        "Check that containerd's base_runtime_spec names the hook and that the pod was started "
        "after that."
    ),
    "cri-o": (
        "Check that a file in one of CRI-O's hooks_dir names the hook; a directory that is added "
        "to them, or made anew, needs a restart of CRI-O."
    ),
}


def _engine_of(event: PodAssigned) -> str:
    """Which runtime runs a pod, by how it tells of it; empty if that does not say."""
    if event.runtime_type.startswith("io.containerd."):
        return "containerd"
    pinned = pinned_paths(event.assigned).get(NamespaceType.IPC, "")
    return "cri-o" if not event.runtime_type and "/ipcns/" in pinned else ""


def inspect(records: Iterable[Record]) -> list[Finding]:
    """The findings of a whole ledger."""
    inspection = Inspection()
    for record in records:
        inspection.apply(record)
    return inspection.findings()
