"""One process had one namespace from when to when: the unit of every answer about ownership."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.model.refs import ContainerRef, PodRef


class OwnerKind(enum.StrEnum):
    """What kind of process is in a namespace."""

    HOST = "host"
    """The node itself: the namespaces that count as the host's."""
    SANDBOX = "sandbox"
    CONTAINER = "container"


class Owner(msgspec.Struct, frozen=True):
    """A process in a namespace, by what it belongs to."""

    kind: OwnerKind
    pod: PodRef = PodRef()
    container: ContainerRef = ContainerRef()

    @property
    def process_id(self) -> str:
        """The runtime's id of the container or of the pod sandbox; empty for the host."""
        return self.container.container_id or self.pod.pod_sandbox_id


class End(enum.StrEnum):
    """How a record shows that an interval is over."""

    STOPPED = "stopped"
    """The runtime said that the process is gone, or a later attempt took its place."""
    CHANGED = "changed"
    """The same process was seen in another namespace of this type."""
    REUSED = "reused"
    """The inode was seen in use for another namespace, so this one was gone."""
    REBOOTED = "rebooted"


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """One process had one namespace."""

    boot_id: str
    type: NamespaceType
    identity: NamespaceIdentity
    owner: Owner
    pid: int
    start_ticks: int | None = None
    since: str
    """RFC 3339."""
    seen_since: bool = False
    """Nobody saw it begin: it was there at `since`, and may have been before."""
    until: str | None = None
    """By when it was over; it may have been over since some time after the last evidence. None
    while no record says so."""
    end: End | None = None
    evidence: tuple[int, ...] = ()
    """Sequence numbers of the records that read it, and of the one that ended it."""


class Life(enum.StrEnum):
    """What /proc says, now, of the process of an interval."""

    THERE = "there"
    """It runs, and is in that namespace."""
    ELSEWHERE = "elsewhere"
    """It runs, in another namespace."""
    GONE = "gone"
    UNREADABLE = "unreadable"


# Who is at which inode right now, and which two of them cannot be there at once.
#
# An inode of nsfs is one namespace at a time. Two processes at one inode share that namespace, or
# one
# of them is gone; this tells the second case from the first, where anything on record does.

_Namespace = tuple[NamespaceType, str | None]


class Occupancy:
    """The open intervals by inode. Hundreds of pods share the host's, so those are kept apart."""

    def __init__(self) -> None:
        self._at: dict[tuple[int, int], dict[_Namespace, dict[str, Interval]]] = {}

    def add(self, key: str, interval: Interval) -> None:
        """Put in the interval of the process called `key`."""
        identity = interval.identity
        groups = self._at.setdefault((identity.dev, identity.ino), {})
        groups.setdefault((interval.type, identity.ns_id), {})[key] = interval

    def remove(self, key: str, interval: Interval) -> None:
        """Take it out again."""
        identity = interval.identity
        place = identity.dev, identity.ino
        groups = self._at[place]
        group = groups[interval.type, identity.ns_id]
        del group[key]
        if not group:
            del groups[interval.type, identity.ns_id]
        if not groups:
            del self._at[place]

    def rivals(
        self, key: str, interval: Interval, *, is_new: bool
    ) -> Iterator[tuple[str, Interval]]:
        """The intervals of other processes that cannot go on beside `interval`.

        They are of another type, or have another id. If the process got a new namespace when it
        began (`is_new`), they are also those of older processes, which it cannot have joined.
        """
        identity = interval.identity
        for (type_, ns_id), group in self._at.get((identity.dev, identity.ino), {}).items():
            both_ids_known = ns_id is not None and identity.ns_id is not None
            if type_ is not interval.type or (both_ids_known and ns_id != identity.ns_id):
                yield from group.items()
            elif is_new and not both_ids_known:
                yield from (
                    (other_key, other)
                    for other_key, other in group.items()
                    if other_key != key and _is_older(other, interval)
                )


def _is_older(one: Interval, other: Interval) -> bool:
    """Whether the process of `one` began before that of `other`, by the kernel's clock."""
    if one.start_ticks is None or other.start_ticks is None:
        return False
    return one.start_ticks < other.start_ticks
