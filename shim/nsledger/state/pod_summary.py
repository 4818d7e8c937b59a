"""A pod in one line: which of the host's namespaces it uses, and whether its layers agree."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from nsledger.model.judgement import HOST, Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.model.refs import PodRef
from nsledger.state.findings import Kind
from nsledger.state.matrix import NOBODYS, ORDER, Cell, Matrix, Process, State

_WORST_FIRST: Final = (
    Verdict.MISMATCH,
    Verdict.UNOBSERVABLE,
    None,
    Verdict.MATCH,
    Verdict.NOT_REQUESTED,
)


class PodLine(msgspec.Struct, frozen=True, kw_only=True):
    """One pod, as `nsledger pods -o json` has it."""

    pod: PodRef
    state: State
    since: str | None
    until: str | None
    ips: tuple[str, ...]
    containers: tuple[str, ...]
    """Names of those that it has now; of a pod that ended, of all."""
    host: tuple[NamespaceType, ...]
    """Types of which one of its processes is in the host's."""
    sharing: dict[NamespaceType, tuple[str, ...]]
    """By type, whose namespaces its containers are in, in the words that `nsledger show` has; of a
    sandbox only `host`, unless it is alone: what it has of its own is there for others."""
    verdict: Verdict | None
    """The worst of all; None if the worst is that the daemon did not judge one."""
    changed: tuple[NamespaceType, ...]
    """Types in which a process moved since it started."""
    records: tuple[int, ...]
    """Sequence numbers of the records of its sandbox."""
    seen_since: bool = False
    """Nobody saw it begin: it was there at `since`, and may have been before."""
    findings: tuple[Kind, ...] = ()
    """Kinds of what was found about it and is not accepted; empty with `--at`."""


@dataclass(frozen=True, slots=True)
class PodFilter:
    """Which pods are wanted; what is empty lets all through."""

    k8s_namespaces: Sequence[str] = ()
    """Names or shell patterns."""
    types: Sequence[NamespaceType] = ()
    """Only these are looked at."""
    sharings: Sequence[str] = ()
    """`host`, `pod`, `container` (any), `private` or `unknown`: one process has to be so."""
    verdicts: Sequence[Verdict] = ()
    """One process has to have one of them, of the same type."""
    ended: bool = False
    """Pods that are gone too."""


def pod_lines(matrices: Iterable[Matrix], wanted: PodFilter) -> list[PodLine]:
    """The lines of those that are wanted, by name."""
    return [pod_line(matrix, wanted.types or ORDER) for matrix in selected(matrices, wanted)]


def selected(matrices: Iterable[Matrix], wanted: PodFilter) -> list[Matrix]:
    """Those that are wanted, by name."""
    return sorted(
        (matrix for matrix in matrices if _fits(matrix, wanted)),
        key=lambda one: (one.pod.k8s_namespace, one.pod.name, one.since or ""),
    )


def pod_line(matrix: Matrix, types: Sequence[NamespaceType] = ORDER) -> PodLine:
    """The line of one pod, of which only `types` are looked at."""
    cells = {type_: _cells(matrix, type_) for type_ in ORDER if type_ in types}
    verdicts = {cell.verdict for of_type in cells.values() for cell in of_type}
    return PodLine(
        pod=matrix.pod,
        state=matrix.state,
        since=matrix.since,
        until=matrix.until,
        ips=matrix.ips,
        containers=tuple(row.name for row in _rows(matrix) if row.kind == "container"),
        host=tuple(
            type_ for type_, of in cells.items() if any(cell.sharing == HOST for cell in of)
        ),
        sharing={type_: tuple(dict.fromkeys(_words(matrix, type_))) for type_ in cells},
        verdict=next((one for one in _WORST_FIRST if one in verdicts), None),
        changed=tuple(type_ for type_, of in cells.items() if any(cell.changed for cell in of)),
        records=matrix.processes[0].evidence,
        seen_since=matrix.processes[0].seen_since,
    )


def _fits(matrix: Matrix, wanted: PodFilter) -> bool:
    if matrix.state == "ended" and not wanted.ended:
        return False
    if wanted.k8s_namespaces and not any(
        fnmatch.fnmatchcase(matrix.pod.k8s_namespace, pattern) for pattern in wanted.k8s_namespaces
    ):
        return False
    wanted_words = set(wanted.sharings)
    return any(
        (not wanted.sharings or wanted_words & {word.partition(":")[0] for word in words})
        and (not wanted.verdicts or verdicts & set(wanted.verdicts))
        for words, verdicts in (
            (_words(matrix, type_), {cell.verdict for cell in _cells(matrix, type_)})
            for type_ in wanted.types or ORDER
        )
    )


def _rows(matrix: Matrix) -> list[Process]:
    """Who is in the pod now: a container that ended beside living ones is not."""
    return [row for row in matrix.processes if row.state != "ended" or matrix.state == "ended"]


def _cells(matrix: Matrix, type_: NamespaceType) -> list[Cell]:
    """Of those who can have a namespace of the type: without a process there is none to judge."""
    cells = [row.namespaces[type_] for row in _rows(matrix)]
    return [cell for cell in cells if cell.reason != NOBODYS]


def _words(matrix: Matrix, type_: NamespaceType) -> list[str]:
    rows = _rows(matrix)
    return [
        row.namespaces[type_].sharing
        for row in rows
        if row.kind == "container" or len(rows) == 1 or row.namespaces[type_].sharing == HOST
    ]
