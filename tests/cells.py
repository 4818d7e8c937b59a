"""What nsledger says of a pod, held against what the kernel says now: cells judged, cells wrong."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nsledger.model.judgement import CONTAINER_PREFIX, HOST, POD, PRIVATE, UNKNOWN, Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.state.matrix import ORDER, Matrix, Process

Inodes = Mapping[NamespaceType, int]


@dataclass(slots=True)
class Count:
    """Of some pods: cells by type, how many were judged, and what was said wrongly."""

    cells: Counter[NamespaceType] = field(default_factory=Counter[NamespaceType])
    judged: Counter[NamespaceType] = field(default_factory=Counter[NamespaceType])
    wrong: list[str] = field(default_factory=list[str])


def inodes_of(pid: int | str) -> Inodes:
    """Of a process's namespaces, by stat(2)."""
    return {type_: os.stat(f"/proc/{pid}/ns/{type_}").st_ino for type_ in NamespaceType}


def inodes_at(paths: Mapping[NamespaceType, str]) -> Inodes:
    """Of what is mounted at paths: all that a sandbox without a process has."""
    return {type_: os.stat(path).st_ino for type_, path in paths.items()}


def count(matrix: Matrix, truth: Mapping[str, Inodes], *, verdicts: bool = True) -> Count:
    """Hold every cell against `truth`, by the runtime's ids of its processes.

    `unknown` is never wrong. A mismatch is, where `verdicts` says that everybody did as asked. A
    container is as it was when it started: one that came later may have joined it since.
    """
    counted = Count()
    host = inodes_of("self")
    for row in matrix.processes:
        for type_ in ORDER:
            cell = row.namespaces[type_]
            mine = truth[row.id].get(type_)
            counted.cells[type_] += mine is not None
            counted.judged[type_] += mine is not None and cell.sharing != UNKNOWN
            said = f"{matrix.pod.name}/{row.name} {type_}: {cell.sharing}"
            if not _is_true(row, type_, matrix, truth, host):
                counted.wrong.append(f"{said}, and is {mine} in {dict(host)[type_]}")
            if cell.actual is not None and cell.actual.ino != mine:
                counted.wrong.append(f"{said}: read {cell.actual.ino}, and it is {mine}")
            if verdicts and cell.verdict is Verdict.MISMATCH:
                counted.wrong.append(f"{said}: {cell.reason}")
    return counted


def _is_true(
    row: Process,
    type_: NamespaceType,
    matrix: Matrix,
    truth: Mapping[str, Inodes],
    host: Inodes,
) -> bool:
    said, mine = row.namespaces[type_].sharing, truth[row.id].get(type_)
    if said == UNKNOWN:
        return True
    if mine == host[type_] or said == HOST:
        return mine == host[type_] and said == HOST
    sandbox, *containers = matrix.processes
    if row is sandbox:
        return mine is not None and said == POD
    if mine == truth[sandbox.id].get(type_) or said == POD:
        return mine == truth[sandbox.id].get(type_) and said == POD
    sharers = [
        other.name
        for other in containers[: containers.index(row)]
        if truth[other.id].get(type_) == mine
    ]
    if said == PRIVATE:
        return not sharers
    return said.removeprefix(CONTAINER_PREFIX) in sharers


def total(counts: Iterable[Count]) -> Count:
    """All together."""
    whole = Count()
    for one in counts:
        whole.cells += one.cells
        whole.judged += one.judged
        whole.wrong += one.wrong
    return whole


def row(name: str, kind: str, counted: Count) -> str:
    """A line of docs/cells.md."""
    cells = (f"{counted.judged[type_]} of {counted.cells[type_]}" for type_ in ORDER)
    return f"| {name} | {kind} | {' | '.join(cells)} | {len(counted.wrong)} |"


def heading() -> Iterator[str]:
    """The first two lines of the table."""
    yield f"| runtime | pod | {' | '.join(ORDER)} | wrong |"
    yield f"|---|---|{'---|' * (len(ORDER) + 1)}"
