"""What can be in the ledger: one struct per event, closed, by an allow-list of fields.

An event says what happened; when, and at which place in the chain, is said by the record around it
(`nsledger.model.record`). Environment, arguments, credentials and foreign annotations have no field
here, so no record can hold them.

Events have families (`PodEvent`, `ContainerEvent`, `LedgerEvent`, `DaemonEvent`). Whoever only asks
what a record is about matches the family, so a new event is added here, and gets its words in
`nsledger.render.event_summary`.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from nsledger.model.judgement import Judgement
from nsledger.model.namespaces import (
    AssignedNamespaces,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.refs import ContainerRef, PodRef


class Source(enum.StrEnum):
    """Which witness an event comes from."""

    CRI_PROXY = "cri_proxy"
    """The shim saw the call."""
    OCI_HOOK = "oci_hook"
    """The hook saw the process."""
    RECONCILE = "reconcile"
    """The daemon found it; nobody saw it begin."""
    DAEMON = "daemon"
    """About the audit itself."""


class _Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="event"):
    source: Source
    audit_id: str = ""
    """Joins the records of one call with each other and with the annotations on the pod."""
    not_before: str = ""
    """RFC 3339, where the daemon found what it tells of (`reconcile`): its look before, which saw
    nothing of it. It happened between that and the record's own time. Empty if this look was the
    daemon's first, and then nothing is known of when it happened."""


class PodEvent(_Event, frozen=True, kw_only=True):
    """Something became known of a pod sandbox."""

    pod: PodRef


class ContainerEvent(_Event, frozen=True, kw_only=True):
    """Something became known of one container."""

    pod: PodRef
    container: ContainerRef


class LedgerEvent(_Event, frozen=True, kw_only=True):
    """About the ledger's own files and their disk."""


class DaemonEvent(_Event, frozen=True, kw_only=True):
    """About who watched, when, and what was missed."""


class PodRequested(PodEvent, tag="pod.requested", frozen=True, kw_only=True):
    """RunPodSandbox or RestorePod is about to go to the runtime."""

    requested: RequestedNamespaces
    method: str = "RunPodSandbox"


class PodAssigned(PodEvent, tag="pod.assigned", frozen=True, kw_only=True):
    """The sandbox runs: what the runtime assigned to it and what its process has."""

    requested: RequestedNamespaces | None = None
    """As the runtime repeats it, where the request itself is not on record."""
    assigned: AssignedNamespaces = {}
    netns_path: str = ""
    """Where the runtime mounted the network namespace, such as `/var/run/netns/cni-…`."""
    ips: tuple[str, ...] = ()
    host_interfaces: tuple[str, ...] = ()
    """In the node's own network namespace, such as its veth's other end; bridges are left out."""
    runtime_type: str = ""
    """containerd's name of the shim that runs it, such as `io.containerd.runc.v2`."""
    actual: NamespaceReading | None = None
    judgements: dict[NamespaceType, Judgement] = {}
    unobservable: str = ""
    """Why there is no `actual`, such as `no host pid`."""
    still_running: bool = False
    """It was on record as ended, wrongly: the same process was found running."""


class ContainerRequested(ContainerEvent, tag="container.requested", frozen=True, kw_only=True):
    """CreateContainer is about to go to the runtime."""

    requested: RequestedNamespaces
    predicted: AssignedNamespaces = {}
    """What the annotations say it will join; a type that could not be predicted is absent."""
    privileged: bool = False


class ContainerAssigned(ContainerEvent, tag="container.assigned", frozen=True, kw_only=True):
    """The container was created; it has a spec and no process yet."""

    requested: RequestedNamespaces | None = None
    """As the runtime repeats it, where the request itself is not on record."""
    assigned: AssignedNamespaces = {}


class ContainerWitnessed(ContainerEvent, tag="container.witnessed", frozen=True, kw_only=True):
    """The OCI hook ran in the container's start."""

    stage: str
    """The hook it was registered as: `createRuntime` or `prestart`."""
    status: str = ""
    """The OCI state's `status`."""
    assigned: AssignedNamespaces = {}
    """From the bundle's config.json."""
    actual: NamespaceReading | None = None
    engine: str = ""
    """Who had it started, by its bundle and annotations: `containerd`, `cri-o`, `podman`, `docker`,
    or `containerd/NAME` for another containerd namespace than `k8s.io`; empty if nothing tells."""
    hook_time: str = ""
    """RFC 3339, by the hook's clock; the record's own time is when the daemon took it in."""
    hook_duration_ns: int = 0
    errors: tuple[str, ...] = ()
    """What the hook could not do, in words from its own list."""


class ContainerStarted(ContainerEvent, tag="container.started", frozen=True, kw_only=True):
    """StartContainer was answered, or the container was found running: the layers compared."""

    actual: NamespaceReading | None = None
    judgements: dict[NamespaceType, Judgement] = {}
    witnessed: bool = False
    """Whether the hook's record of this start was in by then."""
    unobservable: str = ""
    still_running: bool = False
    """It was on record as ended, wrongly: the same process was found running."""


class Ending(enum.StrEnum):
    """How something that ran was seen to have ended."""

    STOPPED = "stopped"
    """The kubelet's call to stop it was answered with OK."""
    EXITED = "exited"
    """The runtime lists it as ended, and nobody asked for that through the shim."""
    VANISHED = "vanished"
    """The runtime no longer lists it."""
    PROCESS_GONE = "process_gone"
    """The runtime lists it as running, and its process is not there."""


class DatedBy(enum.StrEnum):
    """Who says when a process ended."""

    RUNTIME = "runtime"
    """CRI's `finished_at`."""
    KERNEL = "kernel"
    """Its pidfd became readable."""


class ContainerStopped(ContainerEvent, tag="container.stopped", frozen=True, kw_only=True):
    """StopContainer was answered with OK, or the container was found ended."""

    ending: Ending = Ending.STOPPED
    ended_at: str = ""
    """RFC 3339: when its process ended, where that is known; the record's own time is later."""
    dated_by: DatedBy | None = None
    """Whose word `ended_at` is."""


class ContainerRemoved(ContainerEvent, tag="container.removed", frozen=True, kw_only=True):
    """RemoveContainer was answered with OK, or the runtime was found not to have it any more."""

    container: ContainerRef


class PodStopped(PodEvent, tag="pod.stopped", frozen=True, kw_only=True):
    """StopPodSandbox was answered with OK, or the sandbox was found ended."""

    ending: Ending = Ending.STOPPED
    ended_at: str = ""
    """As in `ContainerStopped`, of the sandbox's own process."""
    dated_by: DatedBy | None = None


class PodRemoved(PodEvent, tag="pod.removed", frozen=True, kw_only=True):
    """RemovePodSandbox was answered with OK, or the runtime was found not to have it any more."""

    pod: PodRef


class NamespaceChanged(_Event, tag="namespace.changed", frozen=True, kw_only=True):
    """A process sits in other namespaces than it had when it started: setns(2) or unshare(2)."""

    pod: PodRef
    container: ContainerRef | None = None
    """None for the sandbox's own process."""
    before: NamespaceReading
    actual: NamespaceReading
    changed: tuple[NamespaceType, ...]


class CallFailed(_Event, tag="call.failed", frozen=True, kw_only=True):
    """The runtime answered a watched call with an error, or the call was cut off."""

    method: str
    grpc_status: int | None
    """The status code; None if the call was cancelled or its connection closed."""
    pod: PodRef = PodRef()
    container: ContainerRef = ContainerRef()
    still_running: bool = False
    """A process of the container was there after the failure: the call ended nothing."""


UNCLEAN_STOP: Final = "unclean_stop"
"""The reason of a gap from the last record of a daemon that was killed to the start of the next."""
HANDED_OVER: Final = "handed over"
"""The reason of a `daemon.stopped` after which another daemon goes on watching."""
DISK_FULL: Final = "disk_full"
"""The reason of a gap, and of a stop, while there was no room to write."""


class Gap(DaemonEvent, tag="gap", frozen=True, kw_only=True):
    """Something that should be on record is not. Nothing is lost without one of these."""

    reason: str
    """One word or two from a short list, such as `queue_full`, `oversized`, `undecodable`."""
    count: int | None
    """None where nobody can know: the daemon was killed, and could not count what it had."""
    first_time: str
    """RFC 3339: when the first of them was missed."""
    last_time: str
    detail: str = ""


class LedgerCreated(LedgerEvent, tag="ledger.created", frozen=True, kw_only=True):
    """The first record of a ledger."""

    ledger_id: str
    """Random, 32 hexadecimal digits: tells this ledger from any other."""


class LedgerRecovered(LedgerEvent, tag="ledger.recovered", frozen=True, kw_only=True):
    """The writer before this one was cut off in the middle of a line."""

    torn_bytes: int
    kept_as: str = ""
    """The file name, in the ledger's directory, that holds the torn bytes."""
    from_seq: int = 0
    """The entry that the torn bytes would have been, or begun with; 0 from older versions."""
    through_seq: int = 0
    """The last entry that stands whole in them, which a power cut can do, and an edit; else 0."""


class LedgerUnattested(LedgerEvent, tag="ledger.unattested", frozen=True, kw_only=True):
    """Found at the start, behind the newest checkpoint: this daemon does not vouch for them.

    A daemon that ends in order signs its last record. What is behind that was written by one that
    was killed, or by anybody else while none ran. Later checkpoints sign that they were found.
    """

    from_seq: int
    through_seq: int
    reason: str = ""
    """`no_checkpoint` where there is none of this ledger, `rewritten` where the newest is of an
    entry that is another one now or gone; empty where they only follow it."""


class PruneRule(enum.StrEnum):
    """Why segments are removed."""

    MAX_AGE = "max_age"
    """Every entry in them is older than `retention_max_age_days`."""
    MAX_BYTES = "max_bytes"
    """The ledger is larger than `retention_max_bytes`."""
    DISK = "disk"
    """The file system has less than `disk_prune_free_bytes` left."""


class LedgerPruned(LedgerEvent, tag="ledger.pruned", frozen=True, kw_only=True):
    """The oldest segments are removed; from here on the ledger begins behind them.

    The record comes before the removal. `pruned.json` repeats it for those who read the ledger from
    its beginning; a crash between the two leaves more than is said here.
    """

    rule: PruneRule
    from_seq: int
    """The first entry that is removed."""
    through_seq: int
    """The last one."""
    digest: str
    """SHA-256 of its line: the `prev` of the first entry that is kept."""
    segments: int
    size_bytes: int
    """What they took on the disk."""
    ledger_id: str = ""
    """As in the ledger's first record, which may be among them."""


class DiskStage(enum.StrEnum):
    """How much room the ledger's file system has left, against what was configured."""

    OK = "ok"
    WARN = "warn"
    PRUNE = "prune"
    """Segments are closed, compressed and removed, the oldest first."""
    STOP = "stop"
    """Nothing is written until there is room again."""


class DiskStageChanged(LedgerEvent, tag="disk.stage_changed", frozen=True, kw_only=True):
    """The file system of the ledger got fuller, or has room again."""

    stage: DiskStage
    before: DiskStage
    free_bytes: int


class LedgerStopped(LedgerEvent, tag="ledger.stopped", frozen=True, kw_only=True):
    """The disk is full: the last record until there is room again, written into reserved space."""

    reason: str
    """Such as `disk_full`."""
    free_bytes: int


class LedgerResumed(LedgerEvent, tag="ledger.resumed", frozen=True, kw_only=True):
    """There is room again. What was lost in between is told by the gaps that follow."""

    free_bytes: int
    stopped_time: str = ""
    """RFC 3339: since when nothing was written; empty if that was before this daemon."""


class Alteration(enum.StrEnum):
    """What someone else did to the segment that is being written."""

    REMOVED = "removed"
    """Its name was gone. It has been written again, from the file that was still open."""
    REPLACED = "replaced"
    """Another file had its name, and was moved aside; else as above."""
    TRUNCATED = "truncated"
    """Entries are gone from its end; the ledger goes on in a new segment, and cannot verify."""
    EXTENDED = "extended"
    """Bytes stood behind its last entry; they were moved aside."""


class SegmentAltered(LedgerEvent, tag="segment.altered", frozen=True, kw_only=True):
    """Another process touched the segment that is being written."""

    alteration: Alteration
    segment: str
    """Its file name."""
    at_seq: int
    """The last entry that was in it."""
    kept_as: str = ""
    """The file name, in the ledger's directory, of what was moved aside."""


class ClockStepped(DaemonEvent, tag="clock.stepped", frozen=True, kw_only=True):
    """The wall clock was set, or the machine slept: later records' times do not go on from here."""

    step_ns: int
    """By how much the wall clock went ahead of the monotonic one; negative is back."""
    elapsed_ns: int
    """Since the record before, by the monotonic clock: the step was somewhere in there."""
    before_time: str
    """RFC 3339: the time of the record before."""


class NodeRebooted(DaemonEvent, tag="node.rebooted", frozen=True, kw_only=True):
    """The record before is of another boot: every process of then is gone."""

    before_boot_id: str
    before_time: str
    """RFC 3339: the time of the record before."""


class DaemonStarted(DaemonEvent, tag="daemon.started", frozen=True, kw_only=True):
    """`nsledger serve` begins to watch."""

    version: str
    pid: int
    node_name: str = ""
    kernel_release: str = ""
    host: NamespaceReading
    """The namespaces that count as the host's."""
    host_reference: str
    """Where `host` was read: `/proc/1/ns`, or `/proc/self/ns` if that was not readable."""
    cgroup_version: int = 0
    predecessor_pid: int = 0
    """Of the process that watched until now and handed over; records of its last calls follow."""


class DaemonStopped(DaemonEvent, tag="daemon.stopped", frozen=True, kw_only=True):
    """`nsledger serve` ends in order; without this record, it was killed."""

    reason: str = ""


Event = (
    PodRequested
    | PodAssigned
    | ContainerRequested
    | ContainerAssigned
    | ContainerWitnessed
    | ContainerStarted
    | ContainerStopped
    | ContainerRemoved
    | PodStopped
    | PodRemoved
    | NamespaceChanged
    | CallFailed
    | Gap
    | LedgerCreated
    | LedgerRecovered
    | LedgerUnattested
    | LedgerPruned
    | LedgerStopped
    | LedgerResumed
    | DiskStageChanged
    | SegmentAltered
    | ClockStepped
    | NodeRebooted
    | DaemonStarted
    | DaemonStopped
)


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a newer version, or with a word of one: readers make it, nobody writes it."""

    event: str
    """Its name, as written."""
    source: str = ""
    reason: str
    """What this version could not read."""


def event_name(event: Event | UnknownEvent) -> str:
    """The name that stands in the record, such as `container.started`."""
    return event.event if isinstance(event, UnknownEvent) else str(event.__struct_config__.tag)
