"""Who had which namespace from when to when: a fold from records to intervals.

    ownership = Ownership()
    for record in records:
        ended = ownership.apply(record)        # intervals that this record ended
    running = list(ownership.open_intervals())

An inode number is given to the next namespace within milliseconds, so it names no one without a
time. An interval is claimed from a reading of /proc on, up to the first record after which that
process cannot have had that namespace any more. Nothing is claimed before, after, or between.

What ends an interval, from the plainest evidence to the most indirect:

1. its process is on record as ended (`STOPPED`): by a call that CRI answered with OK, or because it
   was found gone. When only a pod's pause process dies, its sandbox's interval ends and those of
   its containers go on;
2. the same process was read again, and is somewhere else (`CHANGED`);
3. the node was restarted (`REBOOTED`): no process outlives its kernel;
4. the inode was seen in use for something that it cannot have been at the same time: another type,
   another 64-bit id, or a namespace that was made for a younger process (`REUSED`). This is how the
   end of a container that nobody saw end becomes known.

An end that was recorded wrongly is taken back by a later record (`still_running`); the process then
has a second interval from its true beginning, and `query.whois` shows only that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from nsledger.model.events import (
    ContainerStarted,
    ContainerWitnessed,
    DaemonStarted,
    NamespaceChanged,
    PodAssigned,
    Source,
)
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import (
    NEW,
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceReading,
    NamespaceType,
)
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.intervals import End, Interval, Occupancy, Owner, OwnerKind
from nsledger.state.pod import Container, Pod
from nsledger.state.pods import Workloads

_HOST_KEY: Final = ""
_FORGET_EVERY: Final = 4096
"""Entries between two sweeps; each looks at all pods. Counted by `seq`, so that a fold over some of
the entries forgets where a fold over all of them does."""


class _Seen(msgspec.Struct, frozen=True):
    """A reading, and how the process that was read began."""

    key: str
    """`container_id`, `pod_sandbox_id`, or `_HOST_KEY`."""
    owner: Owner
    reading: NamespaceReading
    assigned: AssignedNamespaces
    since: str
    source: Source


class Ownership:
    """The intervals that are open at the last record taken in. Memory O(running processes)."""

    def __init__(self) -> None:
        self._workloads = Workloads()
        self._boot_id = ""
        self._open: dict[str, dict[NamespaceType, Interval]] = {}
        self._occupancy = Occupancy()
        self._swept = 0
        self._host: dict[NamespaceType, NamespaceIdentity] = {}

    def open_intervals(self) -> Iterator[Interval]:
        """What no record has ended yet."""
        for by_type in self._open.values():
            yield from by_type.values()

    def apply(self, record: Record) -> list[Interval]:
        """Take in the next record; the intervals that it ended."""
        ended: list[Interval] = []
        self._forget(record.seq)
        if record.boot_id != self._boot_id:
            for key in list(self._open):
                ended += self._close(key, record.time, End.REBOOTED, record.seq)
            self._boot_id, self._host = record.boot_id, {}
        self._workloads.apply_record(record)
        seen = self._seen(record)
        if seen is not None:
            ended += self._take(seen, record)
        ended += self._close_ended(record)
        return ended

    def _seen(self, record: Record) -> _Seen | None:
        """What the record says was read in /proc, if anything."""
        event = record.event
        match event:
            case DaemonStarted():
                host, self._host = Owner(OwnerKind.HOST), event.host.namespaces
                return _Seen(_HOST_KEY, host, event.host, {}, record.time, Source.RECONCILE)
            case PodAssigned() if event.actual is not None and event.pod.pod_sandbox_id:
                key = event.pod.pod_sandbox_id
                pod = self._workloads.pods.get(key) or Pod(event.pod, source=event.source)
                owner = Owner(OwnerKind.SANDBOX, pod.ref)
                since = pod.since or record.time
                return _Seen(key, owner, event.actual, event.assigned, since, pod.source)
            case ContainerWitnessed() | ContainerStarted() if (
                event.actual is not None and event.container.container_id
            ):
                known = self._workloads.container(event.container.container_id)
                pod, container = known or (
                    Pod(event.pod, source=event.source),
                    Container(event.container, source=event.source),
                )
                return _Seen(
                    container.ref.container_id,
                    Owner(OwnerKind.CONTAINER, pod.ref, container.ref),
                    event.actual,
                    container.assigned,
                    container.since or record.time,
                    container.source,
                )
            case NamespaceChanged():
                return self._changed(event, record.time)
            case _:
                return None

    def _changed(self, event: NamespaceChanged, time: str) -> _Seen | None:
        """What a process has that left the namespaces of its start; nobody saw it go."""
        if event.container is None:
            key = event.pod.pod_sandbox_id
            pod = self._workloads.pods.get(key)
            owner = Owner(OwnerKind.SANDBOX, event.pod if pod is None else pod.ref)
        else:
            key = event.container.container_id
            known = self._workloads.container(key)
            refs = (event.pod, event.container) if known is None else (known[0].ref, known[1].ref)
            owner = Owner(OwnerKind.CONTAINER, *refs)
        if not key:
            return None
        return _Seen(key, owner, event.actual, {}, time, Source.RECONCILE)

    def _take(self, seen: _Seen, record: Record) -> list[Interval]:
        """Extend or open one interval per type that was read."""
        ended: list[Interval] = []
        for type_, identity in seen.reading.namespaces.items():
            held = self._open.get(seen.key, {}).get(type_)
            if held is not None and identity.same_as(held.identity):
                self._put(seen.key, _extended(held, seen, record.seq))
                continue
            if held is not None:
                ended.append(self._close_one(seen.key, type_, record.time, End.CHANGED, record.seq))
            interval = Interval(
                boot_id=record.boot_id,
                type=type_,
                identity=identity,
                owner=seen.owner,
                pid=seen.reading.pid,
                start_ticks=seen.reading.start_ticks,
                since=seen.since if held is None else record.time,
                seen_since=held is not None or seen.source is Source.RECONCILE,
                evidence=(record.seq,),
            )
            self._put(seen.key, interval)
            if seen.key == _HOST_KEY or not self._is_hosts(type_, identity):
                is_new = held is None and seen.assigned.get(type_) == NEW
                ended += self._end_rivals(seen.key, interval, is_new=is_new, seq=record.seq)
        return ended

    def _is_hosts(self, type_: NamespaceType, identity: NamespaceIdentity) -> bool:
        """Whether it is one of the host's, which was there first whatever the runtime promised."""
        hosts = self._host.get(type_)
        return hosts is not None and identity.same_as(hosts)

    def _put(self, key: str, interval: Interval) -> None:
        """Make `interval` the open one of its process and type."""
        by_type = self._open.setdefault(key, {})
        before = by_type.get(interval.type)
        if before is not None:
            self._occupancy.remove(key, before)
        by_type[interval.type] = interval
        self._occupancy.add(key, interval)

    def _end_rivals(
        self, key: str, interval: Interval, *, is_new: bool, seq: int
    ) -> list[Interval]:
        """Of two that cannot have been at once, the earlier one was over by the later one."""
        ended: list[Interval] = []
        for other_key, other in list(self._occupancy.rivals(key, interval, is_new=is_new)):
            if unix_ns(interval.since) < unix_ns(other.since):
                # A record that came late, such as one that the spool held back.
                seen_in = other.evidence[0]
                ended.append(self._close_one(key, interval.type, other.since, End.REUSED, seen_in))
                break
            ended.append(self._close_one(other_key, other.type, interval.since, End.REUSED, seq))
        return ended

    def _close_ended(self, record: Record) -> list[Interval]:
        """Close what is over, by what is known of the pod and the container of the record."""
        pod_ref: PodRef | None = getattr(record.event, "pod", None)
        container_ref: ContainerRef | None = getattr(record.event, "container", None)
        over: dict[str, str] = {}
        if (
            container_ref is not None
            and self._workloads.container(container_ref.container_id) is None
        ):
            # A hook's record that came in after its container was removed and forgotten.
            over[container_ref.container_id] = record.time
        if pod_ref is not None and pod_ref.pod_sandbox_id:
            pod = self._workloads.pods.get(pod_ref.pod_sandbox_id)
            if pod is None or pod.sandbox_ended:
                over[pod_ref.pod_sandbox_id] = pod.sandbox_until if pod else record.time
            for container_id, container in pod.containers.items() if pod else ():
                if container.ended:
                    over[container_id] = container.until
        return [
            interval
            for key, until in over.items()
            if key != _HOST_KEY
            for interval in self._close(key, until, End.STOPPED, record.seq)
        ]

    def _close(self, key: str, until: str, end: End, seq: int) -> list[Interval]:
        return [
            self._close_one(key, type_, until, end, seq) for type_ in list(self._open.get(key, ()))
        ]

    def _close_one(
        self, key: str, type_: NamespaceType, until: str, end: End, seq: int
    ) -> Interval:
        interval = self._open[key].pop(type_)
        if not self._open[key]:
            del self._open[key]
        self._occupancy.remove(key, interval)
        evidence = interval.evidence if seq in interval.evidence else (*interval.evidence, seq)
        return replace(interval, until=until, end=end, evidence=evidence)

    def _forget(self, seq: int) -> None:
        if seq // _FORGET_EVERY != self._swept:
            self._swept = seq // _FORGET_EVERY
            self._workloads.forget_removed()


def intervals(records: Iterable[Record]) -> Iterator[Interval]:
    """Every interval that `records` tell of: each when it ended, the open ones last."""
    ownership = Ownership()
    for record in records:
        yield from ownership.apply(record)
    yield from ownership.open_intervals()


def _extended(held: Interval, seen: _Seen, seq: int) -> Interval:
    """The same interval with one more reading, which may know better who it is and since when."""
    begins = seen.since if unix_ns(seen.since) < unix_ns(held.since) else held.since
    identity = (
        held.identity if held.identity.ns_id is not None else seen.reading.namespaces[held.type]
    )
    return replace(
        held,
        identity=identity,
        owner=seen.owner,
        since=begins,
        seen_since=held.seen_since and seen.source is Source.RECONCILE,
        evidence=(*held.evidence, seq),
    )
