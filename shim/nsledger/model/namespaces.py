"""Linux namespaces: their types, their identity, and the three layers a container has of each.

A *Kubernetes namespace* is something else altogether; it is called `k8s_namespace` everywhere.

Source: namespaces(7), ioctl_ns(2), OCI runtime-spec `config-linux.md`, CRI `NamespaceOption`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated, Final, assert_never

import msgspec

KernelNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""An inode, a device number, a count of ticks: what a signed 64-bit integer holds, as SQLite's."""
ProcessId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""pid_t."""
UserId = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
"""uid_t or gid_t; a length of them as well."""


class NamespaceType(enum.StrEnum):
    """The eight types, by their names in /proc/<pid>/ns."""

    CGROUP = "cgroup"
    IPC = "ipc"
    MNT = "mnt"
    NET = "net"
    PID = "pid"
    TIME = "time"
    USER = "user"
    UTS = "uts"

    __hash__ = str.__hash__
    """Of the value, as equality is. An enum's own is a function of Python, called for every key."""

    @property
    def oci_name(self) -> str:
        """The name in an OCI spec's `linux.namespaces[].type`."""
        return _OCI_NAMES.get(self, self.value)

    @classmethod
    def of_oci_name(cls, name: str) -> NamespaceType | None:
        """The type that an OCI spec calls `name`; None for one that this version does not know."""
        return _BY_OCI_NAME.get(name)


_OCI_NAMES: Final = {NamespaceType.NET: "network", NamespaceType.MNT: "mount"}
_BY_OCI_NAME: Final = {type_.oci_name: type_ for type_ in NamespaceType}


class NamespaceIdentity(msgspec.Struct, frozen=True, omit_defaults=True):
    """One namespace instance, as one boot of one node knows it.

    An inode number alone is not an identity: the kernel gives a freed number to the next
    namespace, of whatever type. `ns_id` is one; it is unique within a boot and has no order.
    """

    dev: KernelNumber
    """Device number of nsfs (`st_dev`)."""
    ino: KernelNumber
    """Inode number on nsfs (`st_ino`): what `net:[4026532254]` shows."""
    ns_id: str | None = None
    """What the NS_GET_ID ioctl answers, in decimal (it may exceed 2**53); None on older kernels."""
    owner_ino: KernelNumber | None = None
    """Inode of the owning user namespace (NS_GET_USERNS); None where the kernel does not say."""

    def same_as(self, other: NamespaceIdentity) -> bool:
        """Whether both are one namespace, provided both were seen alive at one moment."""
        if self.ns_id is not None and other.ns_id is not None:
            return self.ns_id == other.ns_id
        return (self.dev, self.ino) == (other.dev, other.ino)


class IdMapping(msgspec.Struct, frozen=True, array_like=True):
    """One line of a user namespace's id map (user_namespaces(7)); in JSON `[0, 100000, 65536]`."""

    container_id: UserId
    host_id: UserId
    length: UserId


class ReadingSource(enum.StrEnum):
    """How it is known which namespace of a type something has."""

    PROC = "proc"
    """Read in /proc/<pid>/ns by the daemon."""
    HOOK = "hook"
    """Read there by the OCI hook, and not any more by the daemon: the process had ended."""
    PIN = "pin"
    """Read at the path where the runtime keeps it mounted; no process was asked."""

    __hash__ = str.__hash__


NO_PROCESS: Final = "no_process"
"""Why a type is missing of a sandbox that has no process and keeps no such namespace: nobody is in
it, so there is nothing that another process could share."""


class NamespaceReading(msgspec.Struct, frozen=True, omit_defaults=True):
    """The third layer, *actual*: which namespaces one process, or one sandbox, had at one moment.

    Most are read in /proc/<pid>/ns. A sandbox may do without a process (CRI-O's default) and keep
    its namespaces by bind mounts; then `pid` is 0, and `sources` says `pin` of what was found.
    """

    pid: ProcessId
    """Of the process, in the host's pid namespace; 0 for a sandbox without a process."""
    start_ticks: KernelNumber | None = None
    """Field 22 of /proc/<pid>/stat, clock ticks since boot: with it the pid is an identity."""
    namespaces: dict[NamespaceType, NamespaceIdentity] = {}
    missing: dict[NamespaceType, str] = {}
    """Why a type could not be read: an errno name such as `ENOENT`, `changed` if the process was
    another one by the end of the reading, or `no_process`."""
    for_children: dict[str, NamespaceIdentity] = {}
    """`pid_for_children` and `time_for_children`, only where they differ from `pid` and `time`."""
    uid_map: tuple[IdMapping, ...] = ()
    """/proc/<pid>/uid_map as the host sees it; empty where the user namespace is the host's."""
    gid_map: tuple[IdMapping, ...] = ()
    sources: dict[NamespaceType, ReadingSource] = {}
    """How each type was read, where that is not `proc`."""

    def source(self, type_: NamespaceType) -> ReadingSource:
        """How `type_` was read."""
        return self.sources.get(type_, ReadingSource.PROC)

    def filled_from(
        self, other: NamespaceReading | None, source: ReadingSource
    ) -> NamespaceReading:
        """This reading, and what only `other`, which is by `source`, tells of the same thing.

        A process keeps its namespaces until it leaves them, so what was read of it earlier is
        better than nothing, which is all that /proc has once it ended. Readings of two different
        processes are never mixed.
        """
        if other is None or not self._may_be(other, source):
            return self
        gained = {
            type_: identity
            for type_, identity in other.namespaces.items()
            if type_ not in self.namespaces
        }
        if not gained:
            return self
        return msgspec.structs.replace(
            self,
            start_ticks=self.start_ticks if self.start_ticks is not None else other.start_ticks,
            namespaces={**self.namespaces, **gained},
            missing={type_: why for type_, why in self.missing.items() if type_ not in gained},
            for_children=self.for_children or other.for_children,
            uid_map=self.uid_map or other.uid_map,
            gid_map=self.gid_map or other.gid_map,
            sources={**self.sources, **dict.fromkeys(gained, source)},
        )

    def _may_be(self, other: NamespaceReading, source: ReadingSource) -> bool:
        if source is ReadingSource.PIN:
            return True
        same_start = None in {self.start_ticks, other.start_ticks} or (
            self.start_ticks == other.start_ticks
        )
        return self.pid == other.pid and same_start

    @property
    def complete(self) -> bool:
        """Whether every type was read."""
        return not self.missing and len(self.namespaces) == len(NamespaceType)

    def changed_since(self, earlier: NamespaceReading) -> tuple[NamespaceType, ...]:
        """The types that both have, and not the same; both are of one process's life."""
        return tuple(
            type_
            for type_, identity in self.namespaces.items()
            if type_ in earlier.namespaces and not identity.same_as(earlier.namespaces[type_])
        )


class NamespaceMode(enum.StrEnum):
    """CRI's `NamespaceMode`, by its names. Absent is a fifth state: None, never POD."""

    POD = "POD"
    CONTAINER = "CONTAINER"
    NODE = "NODE"
    TARGET = "TARGET"


RequestedMode = NamespaceMode | int
"""A mode, or the number of one that this version does not know."""


class UserNamespaceRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """CRI's `UserNamespace`: POD is a new one with these mappings, NODE the host's."""

    mode: RequestedMode
    uids: tuple[IdMapping, ...] = ()
    gids: tuple[IdMapping, ...] = ()


class RequestedNamespaces(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first layer, *requested*: CRI's `NamespaceOption`.

    CRI can ask for four of the eight types. None is an absent message: nothing was asked.
    """

    net: RequestedMode | None = None
    pid: RequestedMode | None = None
    ipc: RequestedMode | None = None
    target_id: str | None = None
    """The container whose pid namespace is joined when `pid` is TARGET."""
    user: UserNamespaceRequest | None = None

    def mode(self, type_: NamespaceType) -> RequestedMode | None:
        """What was asked of `type_`; None for what was not, or cannot be, asked."""
        match type_:
            case NamespaceType.NET:
                return self.net
            case NamespaceType.PID:
                return self.pid
            case NamespaceType.IPC:
                return self.ipc
            case NamespaceType.USER:
                return None if self.user is None else self.user.mode
            case NamespaceType.CGROUP | NamespaceType.MNT | NamespaceType.TIME | NamespaceType.UTS:
                return None
            case _:
                assert_never(type_)


NEW: Final = "new"
"""The OCI spec lists the type without a path: the runtime makes a new namespace."""
INHERITED: Final = "inherited"
"""The OCI spec does not list the type: the process keeps the runtime's, which is the host's."""

Assignment = str
"""The second layer, *assigned*, of one type: `new`, `inherited`, or the absolute path to join."""

AssignedNamespaces = dict[NamespaceType, Assignment]
"""One entry for each of the eight types; empty where the runtime told nothing."""


def assigned_by_oci(namespaces: list[tuple[str, str]]) -> AssignedNamespaces:
    """The assignment of all eight types from `linux.namespaces` as (type, path) pairs.

    An empty path means new. Types that this version does not know are passed over.
    """
    assigned: AssignedNamespaces = dict.fromkeys(NamespaceType, INHERITED)
    for oci_name, path in namespaces:
        type_ = NamespaceType.of_oci_name(oci_name)
        if type_ is not None:
            assigned[type_] = path or NEW
    return assigned


def pinned_paths(assigned: AssignedNamespaces) -> dict[NamespaceType, str]:
    """Where a sandbox's namespaces are mounted: the paths to join that lead through no process."""
    return {
        type_: one
        for type_, one in assigned.items()
        if one.startswith("/") and not one.startswith("/proc/")
    }


# Id maps of user namespaces, compared by what they map and not by how they are cut into lines.
#
# Source: user_namespaces(7), "Defining user and group ID mappings".


def as_ranges(mappings: Iterable[IdMapping]) -> tuple[IdMapping, ...]:
    """The same map with as few lines as it can have, in the order of `container_id`.

    The kernel sorts long maps, and a runtime may join or split neighbouring lines.
    """
    ranges: list[IdMapping] = []
    for line in sorted(mappings, key=lambda line: line.container_id):
        last = ranges[-1] if ranges else None
        if line.length == 0:
            continue
        if (
            last is not None
            and last.container_id + last.length == line.container_id
            and last.host_id + last.length == line.host_id
        ):
            ranges[-1] = IdMapping(last.container_id, last.host_id, last.length + line.length)
        else:
            ranges.append(line)
    return tuple(ranges)


def shown(mappings: Iterable[IdMapping]) -> str:
    """The map in one word, as newuidmap(1) takes it: `0:100000:65536,…`."""
    return ",".join(f"{line.container_id}:{line.host_id}:{line.length}" for line in mappings)


def canonical_path(path: str) -> str:
    """`path` with /run for /var/run, which is a symbolic link to it (file-hierarchy(7))."""
    return path.removeprefix("/var") if path.startswith("/var/run/") else path
