"""One process had one namespace from when to when: the unit of every answer about ownership."""

from __future__ import annotations

import enum

import msgspec

from nsledger.domain.namespaces import NamespaceIdentity, NamespaceType
from nsledger.domain.workload import ContainerRef, PodRef


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
