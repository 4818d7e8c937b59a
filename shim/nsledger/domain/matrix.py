"""Who shares what in one pod: processes by namespace types, and which cells are one namespace.

Values only: `pod_matrix` makes them, `matrix_table` and `process_tables` draw them. As they are
they stand in `nsledger show -o json`, so a field's name is a promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from nsledger.domain.judgement import LayerPair, Verdict
from nsledger.domain.namespaces import IdMapping, NamespaceIdentity, NamespaceType
from nsledger.domain.pod import LayerRecords
from nsledger.domain.unwatched import Unwatched
from nsledger.domain.workload import PodRef

ORDER: Final = (
    NamespaceType.NET,
    NamespaceType.IPC,
    NamespaceType.UTS,
    NamespaceType.PID,
    NamespaceType.MNT,
    NamespaceType.USER,
    NamespaceType.CGROUP,
    NamespaceType.TIME,
)
"""What people argue about comes first."""

State = Literal["created", "running", "ended"]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One process, one type, three layers."""

    sharing: str
    """`host`, `pod`, `container:<name>`, `private` or `unknown`: as judged when it started, and
    anew where `changed` tells of a later namespace."""
    group: str | None = None
    """A letter; cells with the same one are one namespace. None if no other process shown is in
    it, and for the host's."""
    verdict: Verdict | None
    """None where the daemon did not judge, such as a container that only the hook saw."""
    reason: str
    rule: str = ""
    """Which rule decided the verdict."""
    differ: tuple[LayerPair, ...] = ()
    """Which layers contradict each other, where the verdict is `mismatch`."""
    requested: str | None
    """CRI's mode by name; None where nothing was asked or can be."""
    assigned: str | None
    """`new`, `inherited` or a path; None where the runtime told nothing."""
    actual: NamespaceIdentity | None
    changed: tuple[int, ...] = ()
    """Records that found the process in another namespace than before; the verdict is older."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox or a container: one row."""

    kind: Literal["sandbox", "container"]
    id: str
    """The runtime's."""
    name: str
    attempt: int
    image: str
    pid: int | None
    state: State
    since: str | None
    """RFC 3339; None if no process was seen."""
    seen_since: bool
    """Nobody saw it begin: it was there at `since`, and may have been before."""
    until: str | None
    unobservable: str
    """Why there is no reading of its namespaces."""
    evidence: tuple[int, ...]
    """Sequence numbers of the records."""
    records: LayerRecords = LayerRecords()
    privileged: bool = False
    uid_map: tuple[IdMapping, ...] = ()
    """Of its user namespace, as the host sees it; empty in the host's."""
    namespaces: dict[NamespaceType, Cell]


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """One pod."""

    pod: PodRef
    state: State
    since: str | None
    until: str | None
    netns_path: str
    ips: tuple[str, ...]
    processes: tuple[Process, ...]
    """The sandbox, then the containers as they appeared."""
    earlier_attempts: int
    """Containers that were left out, since one of the same name came after them."""
    at: str | None = None
    """The moment it is told of; None is the last record."""
    unwatched: tuple[Unwatched, ...] = ()
    """When nobody watched, if `at` is in it: all here is as it was before."""

    def mismatches(self) -> Iterator[tuple[Process, NamespaceType, Cell]]:
        """The cells whose layers disagree."""
        for process in self.processes:
            for type_ in ORDER:
                cell = process.namespaces[type_]
                if cell.verdict is Verdict.MISMATCH:
                    yield process, type_, cell

    def changes(self) -> Iterator[tuple[Process, NamespaceType, Cell]]:
        """The cells of processes that were found in another namespace than they started in."""
        for process in self.processes:
            for type_ in ORDER:
                if process.namespaces[type_].changed:
                    yield process, type_, process.namespaces[type_]
