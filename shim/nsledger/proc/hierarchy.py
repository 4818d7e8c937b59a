"""How the pid and user namespaces of this node are nested, as far as this process may look.

Only these two types have parents. A namespace without processes of its own shows where one of its
descendants has some. Processes of others need CAP_SYS_PTRACE; what is above the reader's own
namespace is hidden by the kernel (EPERM), so the top may not be the initial one.

Source: ioctl_ns(2), pid_namespaces(7), user_namespaces(7).
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from typing import Final

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.proc.namespaces import identity_of

NESTED: Final = (NamespaceType.USER, NamespaceType.PID)

_NS_GET_PARENT: Final = 0xB702
"""_IO(0xb7, 2): a descriptor of the parent."""


@dataclass(slots=True)
class Nested:
    """A namespace and what is known of its place."""

    type: NamespaceType
    identity: NamespaceIdentity
    parent: int | None = None
    """Inode of the parent; None at the top, or where the kernel does not say."""
    pids: list[int] = field(default_factory=list[int])
    """The processes that are in it, by their numbers here."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """All namespaces of one type that can be seen."""

    namespaces: dict[int, Nested]
    """By inode."""
    unreadable: int
    """Processes that could not be looked at; there may be more namespaces."""


def hierarchy(type_: NamespaceType) -> Hierarchy:
    """The namespaces of `type_`, which is one of `NESTED`, of all processes in /proc."""
    found: dict[int, Nested] = {}
    unreadable = 0
    for pid in sorted(map(int, filter(str.isdecimal, os.listdir("/proc")))):
        try:
            namespace = os.open(f"/proc/{pid}/ns/{type_}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # it has ended
        except OSError:
            unreadable += 1
            continue
        _place(namespace, type_, found).pids.append(pid)
    return Hierarchy(found, unreadable)


def _place(namespace: int, type_: NamespaceType, found: dict[int, Nested]) -> Nested:
    """The namespace that a descriptor is open on, with all above it; closes the descriptor."""
    try:
        ino = os.fstat(namespace).st_ino
        known = found.get(ino)
        if known is not None:
            return known
        nested = found[ino] = Nested(type_, identity_of(namespace))
        try:
            parent = fcntl.ioctl(namespace, _NS_GET_PARENT)
        except OSError:
            return nested  # EPERM: the first one, or hidden
        nested.parent = _place(parent, type_, found).identity.ino
        return nested
    finally:
        os.close(namespace)
