"""What one record shows of one process: layers that disagree, the host's namespaces, blind spots.

Each function is of one record and what is known of the node; nothing here remembers anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nsledger.model.events import (
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    Ending,
    NamespaceChanged,
    PodAssigned,
    PodStopped,
)
from nsledger.model.judgement import HOST, Rule, Verdict
from nsledger.model.namespaces import NO_PROCESS, NamespaceReading, NamespaceType
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef
from nsledger.state.findings import MISMATCHES, Kind, Severity, Sighting

_QUIET: Final = {NamespaceType.UTS, NamespaceType.CGROUP}
"""Of the host's, these give away least."""
_OF_EVERY_POD: Final = {NamespaceType.USER, NamespaceType.TIME}

_ENDED: Final = "it had ended"
_READABLE: Final = {"ENOENT": _ENDED, "ESRCH": _ENDED, "changed": _ENDED}
"""Why something is not there to be read any more; other reasons are errno names."""

_UNREAD: Final = NamespaceReading(pid=0)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the daemon said of the node when it started."""

    host: NamespaceReading = _UNREAD
    cgroup_version: int = 0

    def is_unusual(self, type_: NamespaceType) -> bool:
        """Whether an ordinary pod is not in the host's; on cgroup v1 every one is."""
        if type_ is NamespaceType.CGROUP:
            return self.cgroup_version == 2  # noqa: PLR2004 - the kernel's own number for it
        return type_ not in _OF_EVERY_POD


def of_start(
    record: Record, event: PodAssigned | ContainerStarted, node: NodeFacts
) -> Iterator[Sighting]:
    """What a judged start shows."""
    if event.actual is None and event.unobservable:
        yield Sighting(
            Kind.UNOBSERVABLE,
            Severity.INFO,
            event.unobservable,
            record,
            pod=event.pod,
            container=_container(event),
            lasts=True,
        )
    yield from partial(record, event, node)
    yield from _mismatches(record, event)
    hosts = tuple(
        type_
        for type_, judgement in event.judgements.items()
        if judgement.sharing == HOST and node.is_unusual(type_)
    )
    if hosts:
        # One for the pod: which of its containers it is, `nsledger show` tells.
        yield Sighting(
            Kind.HOST_NAMESPACE,
            Severity.LOW if _QUIET.issuperset(hosts) else Severity.MEDIUM,
            "in the node's {types}",
            record,
            pod=event.pod,
            types=hosts,
            lasts=True,
        )


def _mismatches(record: Record, event: PodAssigned | ContainerStarted) -> Iterator[Sighting]:
    """One for each type and each two layers that contradict each other."""
    for type_, judgement in event.judgements.items():
        if judgement.verdict is not Verdict.MISMATCH:
            continue
        reasons = judgement.reason.split("; ")
        if judgement.rule == Rule.REQUESTED_MAPPINGS or len(reasons) != len(judgement.differ):
            reasons = [judgement.reason] * len(judgement.differ)
        for pair, reason in zip(judgement.differ, reasons, strict=True):
            yield Sighting(
                MISMATCHES[pair],
                Severity.HIGH,
                f"{type_}: {reason}",
                record,
                pod=event.pod,
                container=_container(event),
                types=(type_,),
                what=type_,
                lasts=True,
            )


def partial(
    record: Record, event: PodAssigned | ContainerStarted | ContainerWitnessed, node: NodeFacts
) -> Iterator[Sighting]:
    """What could not be read of a process, unless the kernel has none of that type at all."""
    if event.actual is None:
        return
    unread = event.actual.missing
    missing = tuple(
        type_
        for type_, why in unread.items()
        if why != NO_PROCESS and type_ not in node.host.missing
    )
    if missing:
        reasons = dict.fromkeys(unread[type_] for type_ in missing)
        why = ", ".join(_READABLE.get(reason, reason) for reason in reasons)
        yield Sighting(
            Kind.PARTIAL_READ,
            Severity.LOW,
            f"its {{types}} could not be read: {why}",
            record,
            pod=event.pod,
            container=_container(event),
            types=missing,
            lasts=True,
        )


def of_change(record: Record, event: NamespaceChanged, node: NodeFacts) -> Sighting:
    """That a process moved; into the node's is worse than anywhere else."""
    hosts, now = node.host.namespaces, event.actual.namespaces
    to_host = any(
        type_ in hosts and type_ in now and now[type_].same_as(hosts[type_])
        for type_ in event.changed
    )
    return Sighting(
        Kind.NAMESPACE_CHANGED,
        Severity.HIGH if to_host else Severity.MEDIUM,
        "moved to another {types} namespace" + (", the node's" if to_host else ""),
        record,
        pod=event.pod,
        container=event.container,
        types=event.changed,
        since=event.not_before,
        lasts=True,
    )


def of_end(record: Record, event: PodStopped | ContainerStopped) -> Iterator[Sighting]:
    """A sandbox that ended unasked, or a process that is gone while the runtime says it runs."""
    sandbox_exited = isinstance(event, PodStopped) and event.ending is Ending.EXITED
    if sandbox_exited or event.ending is Ending.PROCESS_GONE:
        yield Sighting(
            Kind.PROCESS_GONE,
            Severity.MEDIUM,
            "its process ended, and nobody had asked for that",
            record,
            pod=event.pod,
            container=event.container if isinstance(event, ContainerStopped) else None,
            since=event.ended_at or event.not_before,
        )


def _container(
    event: PodAssigned | ContainerStarted | ContainerWitnessed,
) -> ContainerRef | None:
    return None if isinstance(event, PodAssigned) else event.container
