"""What it means to share a namespace of each type, to be in the host's, or to have one's own.

One phrase each, to be read after the names of containers: a closed table, so that every sentence
of an explanation can be checked.

Source: namespaces(7), and the man page of each type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nsledger.model.namespaces import NamespaceType


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase in the three forms that are needed."""

    of_many: str
    of_one: str
    past: str

    def after(self, count: int, *, past: bool) -> str:
        """The form that follows `count` names."""
        if past:
            return self.past
        return self.of_one if count == 1 else self.of_many


def _with(verbs: tuple[str, str, str], rest: str) -> Phrase:
    many, one, past = verbs
    return Phrase(f"{many} {rest}", f"{one} {rest}", f"{past} {rest}")


_SHARE: Final = ("share", "shares", "shared")
_USE: Final = ("use", "uses", "used")
_HAVE: Final = ("have", "has", "had")
_SEE: Final = ("see", "sees", "saw")

SHARED: Final = {
    NamespaceType.NET: _with(_SHARE, "one network, with its ports and its localhost"),
    NamespaceType.IPC: _with(_SHARE, "SysV shared memory, semaphores and message queues"),
    NamespaceType.UTS: _with(_HAVE, "one host name"),
    NamespaceType.PID: _with(_SEE, "each other's processes"),
    NamespaceType.MNT: _with(_SEE, "the same mounts"),
    NamespaceType.USER: _with(_HAVE, "one mapping of user ids"),
    NamespaceType.CGROUP: _with(_SEE, "the same part of the cgroup tree"),
    NamespaceType.TIME: _with(_HAVE, "the same boot and monotonic clocks"),
}
"""Of processes in one namespace that is not the host's."""

HOST: Final = {
    NamespaceType.NET: _with(_USE, "the node's network, with its ports and its localhost"),
    NamespaceType.IPC: _with(_USE, "the node's SysV shared memory, semaphores and message queues"),
    NamespaceType.UTS: _with(_HAVE, "the node's host name"),
    NamespaceType.PID: _with(_SEE, "every process on the node"),
    NamespaceType.MNT: _with(_SEE, "the node's mounts"),
    NamespaceType.USER: _with(_HAVE, "the node's user ids, so root inside is root outside"),
    NamespaceType.CGROUP: _with(_SEE, "the node's whole cgroup tree"),
    NamespaceType.TIME: _with(_HAVE, "the node's clocks"),
}
"""Of processes in the host's."""

PRIVATE: Final = {
    NamespaceType.NET: Phrase(
        "each have a network of their own", "has a network of its own", "had a network of its own"
    ),
    NamespaceType.IPC: Phrase(
        "each have SysV IPC objects of their own",
        "has SysV IPC objects of its own",
        "had SysV IPC objects of its own",
    ),
    NamespaceType.UTS: Phrase(
        "each have a host name of their own", "has a host name of its own", "had its own host name"
    ),
    NamespaceType.PID: Phrase(
        "each see only their own processes",
        "sees only its own processes",
        "saw only its own processes",
    ),
    NamespaceType.MNT: Phrase(
        "each have mounts of their own, in which volumes and the pod's /dev/shm are the same files",
        "has mounts of its own, in which volumes and the pod's /dev/shm are the same files",
        "had mounts of its own, in which volumes and the pod's /dev/shm were the same files",
    ),
    NamespaceType.USER: Phrase(
        "each have a mapping of user ids of their own",
        "has a mapping of user ids of its own",
        "had a mapping of user ids of its own",
    ),
    NamespaceType.CGROUP: Phrase(
        "each see only their own part of the cgroup tree",
        "sees only its own part of the cgroup tree",
        "saw only its own part of the cgroup tree",
    ),
    NamespaceType.TIME: Phrase(
        "each have clocks of their own", "has clocks of its own", "had clocks of its own"
    ),
}
"""Of a process that is alone in its namespace."""
