"""One pod and its containers, as far as records told of them, in whatever order they told it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec.structs import replace

from nsledger.model.events import (
    ContainerAssigned,
    ContainerRequested,
    ContainerStarted,
    ContainerWitnessed,
    Ending,
    NamespaceChanged,
    PodAssigned,
    PodRequested,
    Source,
)
from nsledger.model.judgement import PRIVATE, Judgement
from nsledger.model.namespaces import (
    AssignedNamespaces,
    NamespaceReading,
    NamespaceType,
    ReadingSource,
    RequestedNamespaces,
)
from nsledger.model.refs import ContainerRef, PodRef

_FAITH: Final = {Source.CRI_PROXY: 0, Source.OCI_HOOK: 1, Source.RECONCILE: 2, Source.DAEMON: 3}
"""Whose word counts for how a process began: theirs who were there."""


class LayerRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Which record told of each layer last, by sequence number; None where none did."""

    requested: int | None = None
    assigned: int | None = None
    actual: int | None = None


_NO_RECORDS: Final = LayerRecords()


@dataclass(frozen=True, slots=True)
class Change:
    """A process was found in other namespaces than it had before."""

    seq: int
    """Of the record."""
    time: str
    """When it was found; it may have happened since the last look before."""
    before: NamespaceReading
    actual: NamespaceReading
    changed: tuple[NamespaceType, ...]


@dataclass(slots=True)
class Container:
    """What is known of one container."""

    ref: ContainerRef
    requested: RequestedNamespaces | None = None
    assigned: AssignedNamespaces = field(default_factory=dict[NamespaceType, str])
    witnessed: NamespaceReading | None = None
    """What the hook read."""
    witnessed_time: str = ""
    """When, by the hook's clock."""
    actual: NamespaceReading | None = None
    """What the daemon read last, filled up with what only the hook could read; the hook's reading
    until then. `actual_source` and `actual_time` tell of each type which it is."""
    read_time: str = ""
    """When the daemon read it last; empty until it did."""
    judgements: dict[NamespaceType, Judgement] = field(
        default_factory=dict[NamespaceType, Judgement]
    )
    """As it started: `changes` tells what became of it."""
    changes: list[Change] = field(default_factory=list[Change])
    privileged: bool = False
    unobservable: str = ""
    source: Source = Source.CRI_PROXY
    """The best witness of its start; with `reconcile` nobody saw it begin."""
    sources: set[Source] = field(default_factory=set[Source])
    """All witnesses of its start. `oci_hook` without `cri_proxy`: it was started behind the shim;
    `cri_proxy` without `oci_hook`: the hook did not run, or its record is not in yet."""
    since: str = ""
    """When its process was first seen, by the hook's clock if the hook saw it; to be read as
    *seen since* if `source` is reconcile."""
    until: str = ""
    """Time of the record that saw it end; empty while it lives."""
    ended: bool = False
    ending: Ending | None = None
    """How it was seen to end; None while it lives, and where something else took its place."""
    start_failed: bool = False
    """Its last StartContainer failed, and it had no process before or after."""
    removed: bool = False
    evidence: list[int] = field(default_factory=list[int])
    """Sequence numbers of the records it was made from."""
    records: LayerRecords = _NO_RECORDS

    def actual_source(self, type_: NamespaceType) -> ReadingSource:
        """Who read the namespace of `type_` that counts."""
        if self.actual is None or not self.read_time:
            return ReadingSource.HOOK
        return self.actual.source(type_)

    def actual_time(self, type_: NamespaceType) -> str:
        """When that was; empty if it is not known."""
        hook = self.actual_source(type_) is ReadingSource.HOOK
        return self.witnessed_time if hook else self.read_time

    @property
    def running(self) -> bool:
        """Whether a process was seen and no end.

        No call tells that a container ended by itself, as init containers do: before comparing
        with it, look whether its process is still there.
        """
        return self.actual is not None and not self.ended

    def end(self, time: str, ending: Ending | None = None) -> None:
        """Its process is gone by `time`; the first such note counts."""
        if not self.ended:
            self.ended, self.until, self.ending = True, time, ending

    def take_requested(self, event: ContainerRequested, seq: int) -> None:
        """Take in what was asked for, as soon as the container has an id."""
        self.requested, self.privileged = event.requested, event.privileged
        self.records = replace(self.records, requested=seq)
        self.evidence.append(seq)

    def take_assigned(self, event: ContainerAssigned, seq: int) -> None:
        """Take in what the runtime made of it."""
        if self.requested is None and event.requested is not None:
            self.requested = event.requested
            self.records = replace(self.records, requested=seq)
        if event.assigned:
            self.assigned = event.assigned
            self.records = replace(self.records, assigned=seq)
        self.evidence.append(seq)

    def take_witnessed(self, event: ContainerWitnessed, seq: int, time: str) -> None:
        """Take in what the hook saw."""
        if event.actual is not None:
            self.witnessed, self.witnessed_time = event.actual, event.hook_time or time
            if self.actual is None:
                self.actual = event.actual
                self.records = replace(self.records, actual=seq)
            else:
                # The daemon was quicker, or too late: what it could not read, the hook may have.
                self.actual = self.actual.filled_from(event.actual, ReadingSource.HOOK)
        if event.assigned and not self.assigned:
            self.assigned = event.assigned
            self.records = replace(self.records, assigned=seq)
        self.since = event.hook_time or self.since or time
        self._was_seen_by(event.source)
        self.evidence.append(seq)

    def resume(self) -> None:
        """The record said that it had ended, and the same process was found running."""
        self.ended, self.until, self.ending = False, "", None

    def take_started(self, event: ContainerStarted, seq: int, time: str) -> None:
        """Take in what the daemon read and judged."""
        if event.still_running:
            self.resume()
        if event.actual is not None:
            self.actual = event.actual.filled_from(self.witnessed, ReadingSource.HOOK)
            self.read_time = time
            self.records = replace(self.records, actual=seq)
        self.judgements = event.judgements or self.judgements
        self.unobservable = event.unobservable
        self.since = self.since or time
        self._was_seen_by(event.source)
        self.evidence.append(seq)

    def take_changed(self, event: NamespaceChanged, seq: int, time: str) -> None:
        """Take in that its process moved."""
        self.changes.append(Change(seq, time, event.before, event.actual, event.changed))
        self.actual, self.read_time = event.actual, time
        self.records = replace(self.records, actual=seq)
        self.since = self.since or time
        self.evidence.append(seq)

    def precedes(self, other: Container) -> bool:
        """Whether this is the earlier attempt: by the kernel's clock, else by their count."""
        mine = None if self.actual is None else self.actual.start_ticks
        others = None if other.actual is None else other.actual.start_ticks
        if mine is not None and others is not None and mine != others:
            return mine < others
        return self.ref.attempt < other.ref.attempt

    def _was_seen_by(self, source: Source) -> None:
        if not self.sources or _FAITH[source] < _FAITH[self.source]:
            self.source = source
        self.sources.add(source)


@dataclass(slots=True)
class Pod:
    """What is known of one pod sandbox and its containers."""

    ref: PodRef
    requested: RequestedNamespaces | None = None
    assigned: AssignedNamespaces = field(default_factory=dict[NamespaceType, str])
    netns_path: str = ""
    ips: tuple[str, ...] = ()
    runtime_type: str = ""
    """containerd's name of the shim that runs it."""
    actual: NamespaceReading | None = None
    """Of the sandbox's process or of what it keeps mounted, as the daemon read it last."""
    read_time: str = ""
    """When that was."""
    judgements: dict[NamespaceType, Judgement] = field(
        default_factory=dict[NamespaceType, Judgement]
    )
    """As it started: `changes` tells what became of it."""
    changes: list[Change] = field(default_factory=list[Change])
    unobservable: str = ""
    source: Source = Source.CRI_PROXY
    """The best witness of its start; with `reconcile` nobody saw it begin."""
    sources: set[Source] = field(default_factory=set[Source])
    """All witnesses of its sandbox."""
    since: str = ""
    sandbox_ended: bool = False
    """Its sandbox has no process any more. Containers may run on without one: see `ended`."""
    sandbox_until: str = ""
    """Time of the record that saw the sandbox end; empty while it lives."""
    ending: Ending | None = None
    """How the sandbox was seen to end."""
    stopped: bool = False
    """StopPodSandbox or RemovePodSandbox succeeded, or its node was restarted: by CRI, all its
    containers have ended with it."""
    removed: bool = False
    evidence: list[int] = field(default_factory=list[int])
    """Sequence numbers of the records it was made from, without those of its containers."""
    records: LayerRecords = _NO_RECORDS
    containers: dict[str, Container] = field(default_factory=dict[str, Container])
    """By `container_id`, in the order they appeared."""

    @property
    def ended(self) -> bool:
        """Whether neither its sandbox nor any of its containers has a process."""
        return self.sandbox_ended and not any(one.running for one in self.containers.values())

    @property
    def until(self) -> str:
        """When the last of its processes was seen to have ended; empty while one lives."""
        if not self.ended:
            return ""
        ends = (one.until for one in self.containers.values() if one.until and one.since)
        return max([self.sandbox_until, *ends])

    def actual_source(self, type_: NamespaceType) -> ReadingSource:
        """How the sandbox's namespace of `type_` was read."""
        return ReadingSource.PROC if self.actual is None else self.actual.source(type_)

    def actual_time(self, _type: NamespaceType) -> str:
        """When that was; empty if it is not known."""
        return self.read_time

    def running_siblings(self, container_id: str) -> dict[str, NamespaceReading]:
        """Readings of the other containers that run as far as records tell, by name.

        One that only the hook saw may have no name yet, and is told from others by its id.

        Of a pod whose sandbox is not known, nobody can say who belongs together: it is empty.
        """
        if not self.ref.pod_sandbox_id:
            return {}
        return {
            other.ref.name or id_: other.actual
            for id_, other in self.containers.items()
            if id_ != container_id and other.running and other.actual is not None
        }

    def take_requested(self, event: PodRequested, seq: int) -> None:
        """Take in what was asked for, as soon as the sandbox has an id."""
        self.requested = event.requested
        self.records = replace(self.records, requested=seq)
        self.evidence.append(seq)

    def take_assigned(self, event: PodAssigned, seq: int, time: str) -> None:
        """Take in what the runtime made of it, and what the sandbox got."""
        if event.still_running:
            self.sandbox_ended, self.sandbox_until, self.ending = False, "", None
        if not self.sources or _FAITH[event.source] < _FAITH[self.source]:
            self.source = event.source
        self.sources.add(event.source)
        self.since = self.since or time
        if self.requested is None and event.requested is not None:
            self.requested = event.requested
            self.records = replace(self.records, requested=seq)
        if event.assigned:
            self.assigned = event.assigned
            self.records = replace(self.records, assigned=seq)
        if event.actual is not None:
            self.actual, self.read_time = event.actual, time
            self.records = replace(self.records, actual=seq)
        self.netns_path = event.netns_path or self.netns_path
        self.ips = event.ips or self.ips
        self.runtime_type = event.runtime_type or self.runtime_type
        self.judgements = event.judgements or self.judgements
        self.unobservable = event.unobservable
        self.evidence.append(seq)

    def take_changed(self, event: NamespaceChanged, seq: int, time: str) -> None:
        """Take in that the sandbox's process moved."""
        self.changes.append(Change(seq, time, event.before, event.actual, event.changed))
        self.actual, self.read_time = event.actual, time
        self.records = replace(self.records, actual=seq)
        self.since = self.since or time
        self.evidence.append(seq)

    def end_older_attempts(self, container: Container) -> None:
        """A name has one running container: of two that were seen, the earlier one has ended.

        Where a name is not known, nothing follows from it.
        """
        if not container.ref.name:
            return
        for other in self.containers.values():
            if other is container or other.actual is None or other.ref.name != container.ref.name:
                continue
            if not container.ref.name:
                continue  # no record has told either's name yet, so nothing says it is the same
            if container.precedes(other):
                container.end(other.since)
            else:
                other.end(container.since)

    def end_whose_numbers_were_reused(self, container: Container) -> None:
        """A container that was found alone has the numbers of no other that lives.

        Nobody says that a container ended by itself. Where the kernel gives no ids, its inodes are
        soon another's, and then the two would look as if they shared what they had in turn.
        """
        if container.actual is None:
            return
        private = [
            identity
            for type_, identity in container.actual.namespaces.items()
            if type_ in container.judgements and container.judgements[type_].sharing == PRIVATE
        ]
        for other in self.containers.values():
            if other is container or not other.running or other.actual is None:
                continue
            theirs = other.actual.namespaces.values()
            if any(one.same_as(their) for one in private for their in theirs):
                other.end(container.since)

    def end_sandbox(self, time: str, ending: Ending | None = None) -> None:
        """The process of its sandbox is gone by `time`; the first such note counts.

        The containers go on: when only the pause process dies, they keep running.
        """
        if not self.sandbox_ended:
            self.sandbox_ended, self.sandbox_until, self.ending = True, time, ending

    def end(self, time: str, ending: Ending | None = None) -> None:
        """Its sandbox and all its containers are gone by `time`.

        Only what CRI guarantees comes here: a successful StopPodSandbox or RemovePodSandbox.
        """
        self.stopped = True
        self.end_sandbox(time, ending)
        for container in self.containers.values():
            container.end(time)
