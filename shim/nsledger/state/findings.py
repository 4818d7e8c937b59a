"""What somebody should look at: the kinds of findings, how bad each is, and what to do about it.

The words of kinds and severities are stable: scripts select by them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from nsledger.model.instants import unix_ns
from nsledger.model.judgement import LayerPair
from nsledger.model.namespaces import NamespaceType
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.matrix import ORDER


class Severity(enum.StrEnum):
    """How bad it is, the worst first."""

    HIGH = "high"
    """Something is not as it was asked for, or went past the witnesses."""
    MEDIUM = "medium"
    """Isolation is given up as asked, or a witness is blind."""
    LOW = "low"
    """A part of the evidence is missing."""
    INFO = "info"
    """Worth to know; nothing to repair."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Kind(enum.StrEnum):
    """What was found."""

    MISMATCH_REQUESTED_ASSIGNED = "mismatch.requested_assigned"
    """The runtime wrote another spec than CRI asked for."""
    MISMATCH_REQUESTED_ACTUAL = "mismatch.requested_actual"
    """The process has something else than CRI asked for."""
    MISMATCH_ASSIGNED_ACTUAL = "mismatch.assigned_actual"
    """The process has something else than its spec says."""
    HOST_NAMESPACE = "host_namespace"
    """A pod uses namespaces of the node that an ordinary pod does not."""
    HOOK_MISSING = "hook_missing"
    """A container started, and the hook did not see it."""
    SHIM_BYPASSED = "shim_bypassed"
    """Something was started or removed without a call through the shim, while it watched."""
    FOREIGN = "foreign"
    """A container of another engine on the node (podman, docker): none of the kubelet's."""
    NAMESPACE_CHANGED = "namespace_changed"
    """A process left a namespace that it had when it started."""
    PROCESS_GONE = "process_gone"
    """A sandbox's process ended unasked, or a container's while the runtime says that it runs."""
    PARTIAL_READ = "partial_read"
    """Some of a process's namespaces could not be read."""
    UNOBSERVABLE = "unobservable"
    """A pod or container without a process on this kernel, or none that could be asked for."""
    GAP = "gap"
    """Something that should be on record is not."""
    SPOOL_QUARANTINED = "spool_quarantined"
    """What a hook left, or somebody else, was no record and was set aside."""
    UNWATCHED = "unwatched"
    """Nobody watched for a while."""
    LEDGER_PRUNED = "ledger_pruned"
    """The rules of retention removed most of the ledger within a day."""
    SEGMENT_ALTERED = "segment_altered"
    """Somebody else touched the ledger while it was being written."""

    @property
    def remedy(self) -> str:
        """What to do, in one line."""
        return _REMEDIES[self]


MISMATCHES: Final = {
    LayerPair.REQUESTED_ASSIGNED: Kind.MISMATCH_REQUESTED_ASSIGNED,
    LayerPair.REQUESTED_ACTUAL: Kind.MISMATCH_REQUESTED_ACTUAL,
    LayerPair.ASSIGNED_ACTUAL: Kind.MISMATCH_ASSIGNED_ACTUAL,
}

_REMEDIES: Final = {
    Kind.MISMATCH_REQUESTED_ASSIGNED: (
        "Compare with `nsledger explain`; look for a runtime handler, an NRI plugin or a webhook "
        "that rewrites specs."
    ),
    Kind.MISMATCH_REQUESTED_ACTUAL: (
        "Treat the container as not isolated as asked: cordon the node, keep the ledger, and find "
        "out what the runtime did."
    ),
    Kind.MISMATCH_ASSIGNED_ACTUAL: (
        "The OCI runtime or something in its place did not do what its spec says: check runc or "
        "crun against their package."
    ),
    Kind.HOST_NAMESPACE: (
        "If the pod needs it, accept it; if not, take hostNetwork, hostPID, hostIPC or privileged "
        "out of its spec."
    ),
    Kind.HOOK_MISSING: (
        "Check that the runtime is told of the hook (containerd: base_runtime_spec; CRI-O: "
        "hooks_dir) and that the pod was started after that."
    ),
    Kind.SHIM_BYPASSED: (
        "Find out who talks to the runtime's own socket (crictl, ctr, a second kubelet) and close "
        "it to them."
    ),
    Kind.FOREIGN: (
        "None if somebody may run containers beside the kubelet's here; nsledger records what the "
        "hook saw of them."
    ),
    Kind.NAMESPACE_CHANGED: (
        "Look at what the process is: it called setns(2) or unshare(2), for which it needs "
        "capabilities."
    ),
    Kind.PROCESS_GONE: "Look at the runtime's log and the kernel's (OOM killer) for that time.",
    Kind.PARTIAL_READ: (
        "None for a process that had ended; else give nsledger CAP_SYS_PTRACE, and look for what "
        "hides /proc from it."
    ),
    Kind.UNOBSERVABLE: (
        "None for virtual machines; else look at whether the runtime answers verbose status calls."
    ),
    Kind.GAP: "`nsledger log --event gap` tells when and why; mend the cause.",
    Kind.SPOOL_QUARANTINED: "Look at the files in the spool's quarantine and at who may write.",
    Kind.UNWATCHED: "See in systemd's journal why nsledger was away at that time.",
    Kind.LEDGER_PRUNED: (
        "Look at the node's clock and its disk at that time, and at retention_max_age_days, "
        "retention_max_bytes and disk_prune_free_bytes; export what must be kept."
    ),
    Kind.SEGMENT_ALTERED: "Keep the ledger as evidence; `nsledger verify` tells what still holds.",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at."""

    kind: Kind
    severity: Severity
    pod: PodRef | None
    """None where it is about the node or the ledger."""
    container: ContainerRef | None
    types: tuple[NamespaceType, ...]
    """Which types of namespaces it is about; empty if it is about none in particular."""
    summary: str
    count: int
    """How often it was seen."""
    first_time: str
    """RFC 3339: of the first record that shows it, or since when it may have been."""
    last_time: str
    """Until when it was so as far as the record tells."""
    ongoing: bool
    """Whether it is still so at the last record."""
    records: tuple[int, ...]
    """Sequence numbers of the records that show it; of many, the first and the last."""
    remedy: str


_RECORDS: Final = 32
"""Of the first and of the last records of a finding, that many are named."""

Key = tuple[Kind, str, str, str]
"""Kind, `pod_sandbox_id`, `container_id`, and what else tells one from another."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One record that shows something."""

    kind: Kind
    severity: Severity
    summary: str
    """With `{types}` and `{count}` where these are to be put in."""
    record: Record
    pod: PodRef | None = None
    container: ContainerRef | None = None
    types: Iterable[NamespaceType] = ()
    what: str = ""
    """What tells it from others of its kind and subject, such as the type or a reason."""
    count: int = 1
    since: str = ""
    """Where it began before the record's time."""
    lasts: bool = False
    """It goes on for as long as its process or pod lives."""
    remedy: str = ""
    """What to do about this one, where more is known than of its kind."""

    @property
    def key(self) -> Key:
        """The same for what is the same finding."""
        pod_sandbox_id = self.pod.pod_sandbox_id if self.pod else ""
        container_id = self.container.container_id if self.container else ""
        return self.kind, pod_sandbox_id, container_id, self.what


@dataclass(slots=True)
class _Case:
    sighting: Sighting
    types: set[NamespaceType]
    count: int
    last_time: str
    ongoing: bool
    records: list[int] = field(default_factory=list[int])

    def see(self, again: Sighting) -> None:
        if self.sighting.severity.rank > again.severity.rank:
            self.sighting = again
        self.types.update(again.types)
        self.count += again.count
        self.last_time = max(self.last_time, again.record.time, key=unix_ns)
        self.ongoing = again.lasts
        self.records.append(again.record.seq)

    def finding(self, first_time: str) -> Finding:
        told = self.sighting
        types = tuple(type_ for type_ in ORDER if type_ in self.types)
        records = list(dict.fromkeys(self.records))
        if len(records) > 2 * _RECORDS:
            records = records[:_RECORDS] + records[-_RECORDS:]
        return Finding(
            kind=told.kind,
            severity=told.severity,
            pod=told.pod,
            container=told.container,
            types=types,
            summary=told.summary.replace("{types}", " ".join(types)).replace(
                "{count}", str(self.count)
            ),
            count=self.count,
            first_time=first_time,
            last_time=self.last_time,
            ongoing=self.ongoing,
            records=tuple(records),
            remedy=told.remedy or told.kind.remedy,
        )


class FindingCollector:
    """All that was found so far."""

    def __init__(self) -> None:
        self._cases: dict[Key, _Case] = {}
        self._first: dict[Key, str] = {}
        self._living: dict[str, list[Key]] = {}
        """Keys of what goes on, by the id of its pod and of its container."""

    def enter(self, sighting: Sighting) -> None:
        """Take in one sighting."""
        key = sighting.key
        case = self._cases.get(key)
        if case is None:
            self._first[key] = sighting.since or sighting.record.time
            case = self._cases[key] = _Case(
                sighting, set(sighting.types), sighting.count, sighting.record.time, sighting.lasts
            )
            case.records.append(sighting.record.seq)
        else:
            case.see(sighting)
        if sighting.lasts:
            for id_ in {key[1], key[2]} - {""}:
                self._living.setdefault(id_, []).append(key)

    def withdraw(self, key: Key) -> None:
        """It turned out to be nothing."""
        self._cases.pop(key, None)

    def end(self, id_: str, time: str) -> None:
        """A pod or a container is gone, and what went on with it."""
        for key in self._living.pop(id_, ()):
            case = self._cases.get(key)
            if case is not None and case.ongoing:
                case.ongoing, case.last_time = False, max(case.last_time, time, key=unix_ns)

    def end_all(self, time: str) -> None:
        """The node was restarted."""
        for id_ in list(self._living):
            self.end(id_, time)

    def findings(self) -> Iterator[Finding]:
        """All that stands, in the order in which it was first seen."""
        for key, case in self._cases.items():
            yield case.finding(self._first[key])
