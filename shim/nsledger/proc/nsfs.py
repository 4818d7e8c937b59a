"""Namespaces by what leads to them: a bind mount, or a descriptor that a process has open.

Source: namespaces(7), ioctl_ns(2), proc_pid_mountinfo(5), Linux include/uapi/linux/sched.h.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nsledger.model.namespaces import (
    NO_PROCESS,
    NamespaceIdentity,
    NamespaceReading,
    NamespaceType,
    ReadingSource,
)
from nsledger.proc.namespaces import identity_of

_NS_GET_NSTYPE: Final = 0xB703
"""_IO(0xb7, 3): the CLONE_NEW… flag of the type."""
_TYPES: Final = {
    0x0002_0000: NamespaceType.MNT,
    0x0200_0000: NamespaceType.CGROUP,
    0x0400_0000: NamespaceType.UTS,
    0x0800_0000: NamespaceType.IPC,
    0x1000_0000: NamespaceType.USER,
    0x2000_0000: NamespaceType.PID,
    0x4000_0000: NamespaceType.NET,
    0x0000_0080: NamespaceType.TIME,
}
_OWN: Final = "/proc/self/ns/net"
_MOUNT_POINT: Final = 4
_MOUNT_DEVICE: Final = 2


@dataclass(frozen=True, slots=True)
class Holder:
    """What keeps a namespace alive beside the processes that are in it."""

    type: NamespaceType
    identity: NamespaceIdentity
    path: str
    """Of the mount point, or /proc/PID/fd/N."""
    pid: int = 0
    """Whose descriptor it is; 0 for a bind mount."""


def identify(path: str) -> tuple[NamespaceType, NamespaceIdentity] | None:
    """The namespace that `path` leads to; None if it leads to none, or may not be looked at."""
    try:
        # Asked first: opening what is no namespace could wait, or do something.
        if os.stat(path).st_dev != os.stat(_OWN).st_dev:
            return None
        namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None  # a ValueError is a path with a NUL in it
    try:
        type_ = type_of(namespace)
        return None if type_ is None else (type_, identity_of(namespace))
    except OSError:
        return None
    finally:
        os.close(namespace)


NOT_A_NAMESPACE: Final = "not_a_namespace"
"""Why a type is missing of a sandbox: the path where it should be mounted leads to none of it."""


def read_pins(paths: Mapping[NamespaceType, str]) -> NamespaceReading:
    """What a sandbox without a process has: the namespaces that are mounted at `paths`.

    Types without a path are nobody's (`no_process`). Never raises. A path that this process does
    not see as a namespace is tried once more as the node's first process sees it: a service
    manager may have given the daemon mounts of its own.
    """
    namespaces: dict[NamespaceType, NamespaceIdentity] = {}
    missing: dict[NamespaceType, str] = {}
    for type_ in NamespaceType:
        path = paths.get(type_)
        if path is None:
            missing[type_] = NO_PROCESS
            continue
        found = identify(path) or identify(f"/proc/1/root{path}")
        if found is not None and found[0] is type_:
            namespaces[type_] = found[1]
        else:
            missing[type_] = NOT_A_NAMESPACE if os.path.lexists(path) else "ENOENT"
    return NamespaceReading(
        pid=0,
        namespaces=namespaces,
        missing=missing,
        sources=dict.fromkeys(namespaces, ReadingSource.PIN),
    )


def type_of(namespace: int) -> NamespaceType | None:
    """Of which type a descriptor's namespace is; None of a type that this version does not know.

    Raises:
        OSError: ENOTTY if it is open on something else.
    """
    return _TYPES.get(fcntl.ioctl(namespace, _NS_GET_NSTYPE))


def bind_mounts(pid: int | str = "self") -> Iterator[Holder]:
    """The namespaces that are mounted somewhere, as process `pid` sees the mounts.

    Raises:
        OSError: its mounts may not be read.
    """
    device = os.stat(_OWN).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        fields = [line.split() for line in mounts]
    for mount in fields:
        if mount[_MOUNT_DEVICE] == number:
            path = _unescaped(mount[_MOUNT_POINT])
            found = identify(path if pid == "self" else f"/proc/{pid}/root{path}")
            if found is not None:
                yield Holder(*found, path=path)


def descriptors(unreadable: list[int]) -> Iterator[Holder]:
    """The namespaces that processes hold open; `unreadable` gets the pids that refuse a look."""
    device = os.stat(_OWN).st_dev
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        directory = f"/proc/{pid}/fd"
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue  # it has ended
        except OSError:
            unreadable.append(pid)
            continue
        for name in names:
            path = f"{directory}/{name}"
            try:
                if os.stat(path).st_dev != device:
                    continue
            except OSError:
                continue  # it was closed meanwhile
            found = identify(path)
            if found is not None:
                yield Holder(*found, path=path, pid=pid)


def _unescaped(path: str) -> str:
    """A path of mountinfo, where blanks and backslashes stand as three octal digits."""
    first, *rest = path.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)


# Namespaces that live on without a process in them: kept by a bind mount or an open descriptor.
#
# Nothing is changed. A mount that only another mount namespace has is not seen, and neither is
# what a
# process holds that may not be looked at; how many those are is told.
#
# Source: namespaces(7), "Namespace lifetime".


@dataclass(frozen=True, slots=True)
class Orphan:
    """A namespace without a process."""

    type: NamespaceType
    identity: NamespaceIdentity
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class Orphans:
    """All that were found."""

    found: tuple[Orphan, ...]
    unreadable: int
    """Processes that could not be looked at."""


def orphans() -> Orphans:
    """Look at every mount and every process of this node."""
    unreadable: list[int] = []
    holders = [*bind_mounts(), *descriptors(unreadable)]
    # Looked at last: a process that begins meanwhile is seen, one that ends leaves no false orphan.
    inhabited, refused = _inhabited()
    by_namespace: dict[tuple[NamespaceType, int, int], list[Holder]] = {}
    for holder in holders:
        place = holder.type, holder.identity.dev, holder.identity.ino
        if place[1:] not in inhabited:
            by_namespace.setdefault(place, []).append(holder)
    found = tuple(
        Orphan(type_, held[0].identity, tuple(held)) for (type_, _, _), held in by_namespace.items()
    )
    return Orphans(found, len({*unreadable, *refused}))


def _inhabited() -> tuple[set[tuple[int, int]], list[int]]:
    """Device and inode of every namespace with a process in it, and whom one may not look at."""
    found: set[tuple[int, int]] = set()
    refused: list[int] = []
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        directory = f"/proc/{pid}/ns"
        try:
            for name in os.listdir(directory):
                status = os.stat(f"{directory}/{name}")
                found.add((status.st_dev, status.st_ino))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended, or a pid namespace waits for its first process
        except OSError:
            refused.append(pid)
    return found, refused
