"""Reads the third layer, *actual*: the namespaces that a process is in, from /proc/<pid>/ns.

One descriptor per link, and everything about a namespace asked of that descriptor, so that number,
id and owner belong together. Processes of others need CAP_SYS_PTRACE (ptrace(2), "Ptrace access
mode checking"); without it every type is missing with EACCES.

Source: namespaces(7), user_namespaces(7), ioctl_ns(2), Linux include/uapi/linux/nsfs.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from nsledger.model.namespaces import IdMapping, NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.proc.process import open_process, read_file, read_stat

CHANGED: Final = "changed"
"""Why a type is missing: the pid belongs to another process than the one that was meant."""

PROCESS_ENDED: Final = frozenset({CHANGED, "ENOENT", "ESRCH"})
"""Reasons which say that the process is not there any more, if all that is missing has them: links
of a living one may be refused, but they do not vanish all at once."""

_NS_GET_USERNS: Final = 0xB701
"""_IO(0xb7, 1): a descriptor of the owning user namespace; of a user namespace, its parent."""
_NS_GET_ID: Final = 0x8008_B70D
"""_IOR(0xb7, 13, __u64). An architecture that builds its numbers in another way (ppc64) answers
ENOTTY, as a kernel without it does."""
_U64_SIZE_BYTES: Final = 8

_FOR_CHILDREN: Final[Mapping[str, NamespaceType]] = MappingProxyType(
    {"pid_for_children": NamespaceType.PID, "time_for_children": NamespaceType.TIME}
)


def read_namespaces(pid: int, *, start_ticks: int | None = None) -> NamespaceReading:
    """What process `pid` is in. Never raises: what can't be read is `missing`, with its errno.

    Everything is read of one process, even if it ends and its pid is given again meanwhile. With
    `start_ticks` that is the process which started then, or every type is missing as `changed`.
    It takes about 0.1 ms.
    """
    try:
        process = open_process(pid)
    except OSError as error:
        return _nothing(pid, _errno_name(error))
    try:
        found_ticks = read_stat(process).start_ticks
        if start_ticks is not None and found_ticks != start_ticks:
            return _nothing(pid, CHANGED)
        return _read(pid, process, found_ticks)
    except OSError as error:
        return _nothing(pid, _errno_name(error))
    finally:
        os.close(process)


def _read(pid: int, process: int, start_ticks: int) -> NamespaceReading:
    namespaces: dict[NamespaceType, NamespaceIdentity] = {}
    missing: dict[NamespaceType, str] = {}
    for type_ in NamespaceType:
        try:
            namespaces[type_] = _identify(process, type_)
        except OSError as error:
            missing[type_] = _errno_name(error)
    inside = _has_user_namespace_of_its_own(namespaces)
    return NamespaceReading(
        pid=pid,
        start_ticks=start_ticks,
        namespaces=namespaces,
        missing=missing,
        for_children=_read_for_children(process, namespaces),
        uid_map=_read_map(process, "uid_map") if inside else (),
        gid_map=_read_map(process, "gid_map") if inside else (),
    )


def _identify(process: int, link: str) -> NamespaceIdentity:
    namespace = os.open(f"ns/{link}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        return identity_of(namespace)
    finally:
        os.close(namespace)


def identity_of(namespace: int) -> NamespaceIdentity:
    """Which namespace the descriptor `namespace` is open on."""
    status = os.fstat(namespace)
    return NamespaceIdentity(
        dev=status.st_dev,
        ino=status.st_ino,
        ns_id=_ns_id(namespace),
        owner_ino=_owner_ino(namespace),
    )


def _ns_id(namespace: int) -> str | None:
    answer = bytearray(_U64_SIZE_BYTES)
    try:
        fcntl.ioctl(namespace, _NS_GET_ID, answer)
    except OSError:
        return None  # ENOTTY: this kernel has no answer
    return str(int.from_bytes(answer, sys.byteorder))


def _owner_ino(namespace: int) -> int | None:
    try:
        owner = fcntl.ioctl(namespace, _NS_GET_USERNS)
    except OSError:
        return None  # EPERM: outside of the reader's user namespace; so is the first one's parent
    try:
        return os.fstat(owner).st_ino
    finally:
        os.close(owner)


def _read_for_children(
    process: int, namespaces: Mapping[NamespaceType, NamespaceIdentity]
) -> dict[str, NamespaceIdentity]:
    """What unshare(2) of a pid or time namespace leaves: only children will be in it."""
    different: dict[str, NamespaceIdentity] = {}
    for link, type_ in _FOR_CHILDREN.items():
        own = namespaces.get(type_)
        try:
            if own and os.stat(f"ns/{link}", dir_fd=process).st_ino != own.ino:
                different[link] = _identify(process, link)
        except OSError:
            continue  # ENOENT: an old kernel, or a pid namespace that waits for its first process
    return different


def _has_user_namespace_of_its_own(
    namespaces: Mapping[NamespaceType, NamespaceIdentity],
) -> bool:
    theirs = namespaces.get(NamespaceType.USER)
    if theirs is None:
        return False
    ours = os.stat("/proc/self/ns/user")
    return (theirs.dev, theirs.ino) != (ours.st_dev, ours.st_ino)


def _read_map(process: int, name: str) -> tuple[IdMapping, ...]:
    """The lines of `uid_map` or `gid_map`; none if the process has ended meanwhile."""
    try:
        text = read_file(process, name)
    except OSError:
        return ()
    lines = (line.split() for line in text.splitlines())
    return tuple(
        IdMapping(container_id=int(inside), host_id=int(outside), length=int(length))
        for inside, outside, length in lines
    )


def _nothing(pid: int, reason: str) -> NamespaceReading:
    return NamespaceReading(pid=pid, missing=dict.fromkeys(NamespaceType, reason))


def _errno_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or errno.EIO, str(error.errno))


# Where the paths of an OCI spec lead: the namespace behind each, looked at when it is compared.
#
# A path is looked at without opening what it names, unless that lies on nsfs: the spec is the
# runtime's, and any file may stand there by now. `/proc/<pid>/ns/…` is followed only into a
# process
# older than the one that is said to have joined it: a pid may have been given again.
#
# It is this process's view of the file system: in another mount namespace than the runtime's,
# such a
# path leads nowhere, and nothing is said.

_OF_PROCESS: Final = re.compile(r"/proc/([1-9][0-9]{0,9})/(ns/[a-z_]+)").fullmatch


def namespaces_behind(
    paths: Iterable[str], *, joined_ticks: int | None
) -> dict[str, NamespaceIdentity]:
    """The namespace behind each of `paths`; one that leads to none is left out.

    `joined_ticks` is when the process that joined them started, in clock ticks since boot; None if
    it is not known, and then no path through a process is followed.
    """
    found: dict[str, NamespaceIdentity] = {}
    for path in paths:
        try:
            identity = _behind(path, joined_ticks)
        except (OSError, ValueError):
            continue  # gone, not readable, or no path at all (a NUL in it)
        if identity is not None:
            found[path] = identity
    return found


def _behind(path: str, joined_ticks: int | None) -> NamespaceIdentity | None:
    through = _OF_PROCESS(path)
    if through is None:
        return _at(path)
    if joined_ticks is None:
        return None
    process = open_process(int(through[1]))
    try:
        if read_stat(process).start_ticks > joined_ticks:
            return None
        return _opened(f"/proc/self/fd/{process}/{through[2]}")
    finally:
        os.close(process)


def _at(path: str) -> NamespaceIdentity | None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if os.fstat(place).st_dev != os.stat("/proc/self/ns/net").st_dev:
            return None
        return _opened(f"/proc/self/fd/{place}")
    finally:
        os.close(place)


def _opened(path: str) -> NamespaceIdentity:
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return identity_of(namespace)
    finally:
        os.close(namespace)
