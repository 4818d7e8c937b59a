"""Which entries of a ledger an answer depends on: all that may, so never fewer than do.

An interval depends on the records of its own process, of its pod's sandbox and of the containers of
its pod while it was open, of other attempts of its container, and of whoever was read at the same
inode while it was open. Everything else in the
ledger can be left out without changing it: the property tests hold this against a fold over all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

from nsledger.index.entries import Pointer, unpack
from nsledger.index.schema import CONTAINER, SANDBOX
from nsledger.model.instants import Period, unix_ns

_COLUMNS: Final = (
    "p.id, p.kind, p.pod, p.container_id, p.name, p.attempt, p.since_ns, p.reach_ns,"
    " p.first_seq, p.last_seq"
)
_AT_INODE: Final = (
    f"SELECT {_COLUMNS} FROM process p WHERE p.id IN (SELECT process FROM place WHERE ino = ?)"  # noqa: S608 - a constant of ours
    " ORDER BY p.first_seq"
)
_WANTED_AT: Final = (
    f"SELECT {_COLUMNS} FROM process p WHERE (p.id IN ({{ids}}) OR p.pod IN ({{pods}}))"  # noqa: S608 - the same
    " AND EXISTS (SELECT 1 FROM place WHERE ino = ? AND process = p.id) ORDER BY p.first_seq"
)
_OPEN_AT: Final = (
    f"SELECT {_COLUMNS} FROM process p WHERE p.id IN (SELECT process FROM place WHERE ino = ?)"  # noqa: S608 - the same
    " AND p.first_seq <= ? AND (p.last_seq IS NULL OR p.last_seq >= ?) ORDER BY p.first_seq"
)
_OF_POD: Final = f"SELECT {_COLUMNS} FROM process p WHERE p.pod = ? AND p.kind = ?"  # noqa: S608 - the same
_OPEN_ENDED: Final = 1 << 63


class Row(NamedTuple):
    """What the index knows of a process."""

    id: int
    kind: int
    pod: int
    container_id: str
    name: str
    attempt: int
    since_ns: int
    reach_ns: int | None
    first_seq: int
    last_seq: int | None

    def overlaps(self, other: Row) -> bool:
        """Whether both were open by one record."""
        mine, theirs = self.last_seq or _OPEN_ENDED, other.last_seq or _OPEN_ENDED
        return self.first_seq <= theirs and other.first_seq <= mine


class Selection:
    """Collects processes, and in the end the pointers to all that tells of them."""

    def __init__(self, database: sqlite3.Connection, period: Period) -> None:
        self._database = database
        self._rows: dict[int, Row] = {}
        self._since_ns = None if period.since is None else unix_ns(period.since)
        self._until_ns = None if period.until is None else unix_ns(period.until)

    def add(self, rows: Iterable[Row]) -> None:
        """These processes count."""
        self._rows.update((row.id, row) for row in rows)

    def meets(self, row: Row) -> bool:
        """Whether the process may have been there in the time asked for."""
        return (self._until_ns is None or row.since_ns <= self._until_ns) and (
            self._since_ns is None or row.reach_ns is None or row.reach_ns > self._since_ns
        )

    def add_inode(self, ino: int, wanted: Callable[[Row], bool]) -> None:
        """Those at `ino` whom `wanted` names, and whoever can have had an influence on them.

        Two can have if both were open at once, or both at once with a third.
        """
        for group in _groups(self._query(_AT_INODE, ino)):
            if any(wanted(row) for row in group):
                self._add_group(group)

    def add_around(self, ino: int, ids: Collection[int], pods: Collection[int]) -> None:
        """As `add_inode` of those processes and of those pods'.

        An inode is given again thousands of times in a year. This reads only who was there then.
        """
        sql = _WANTED_AT.format(ids=_list(ids), pods=_list(pods))
        end = -1
        for row in self._query(sql, ino):
            if row.first_seq > end:  # else it is in the group before
                group = self._group_around(ino, row)
                self._add_group(group)
                end = max(one.last_seq or _OPEN_ENDED for one in group)

    def _group_around(self, ino: int, row: Row) -> list[Row]:
        """Who was at `ino` together with `row`, or with somebody who was."""
        first, last, group = row.first_seq, row.last_seq or _OPEN_ENDED - 1, [row]
        while True:
            found = self._query(_OPEN_AT, ino, last, first)
            if len(found) == len(group):
                return found
            group = found
            first = min(one.first_seq for one in group)
            last = max(one.last_seq or _OPEN_ENDED - 1 for one in group)

    def _add_group(self, group: list[Row]) -> None:
        self.add(group)
        for sandbox in group:
            if sandbox.kind != SANDBOX:
                continue
            strangers = [row for row in group if row.pod != sandbox.pod]
            self.add(
                row
                for row in self._query(_OF_POD, sandbox.pod, CONTAINER)
                if self.meets(row) or any(row.overlaps(other) for other in strangers)
            )

    def pointers(self) -> set[Pointer]:
        """To all records of what was added, and to those that say how it ended."""
        for row in list(self._rows.values()):
            self._add_kin(row)
        found: set[Pointer] = set()
        for ids in _portions(list(self._rows)):
            marks = ",".join("?" * len(ids))
            for (entries,) in self._database.execute(
                f"SELECT entries FROM process WHERE id IN ({marks})",  # noqa: S608 - question marks
                ids,
            ):
                found.update(unpack(entries))
        return found

    def pods(self) -> set[int]:
        """The pods of the processes that were added."""
        return {row.pod for row in self._rows.values()}

    def pods_of(self, row: Row) -> list[int]:
        """The rows of the process's pod."""
        if not row.pod:
            return [0]
        found = self._database.execute(
            "SELECT other.id FROM pod one JOIN pod other ON other.pod_sandbox_id ="
            " one.pod_sandbox_id AND substr(other.pod_sandbox_id, 1, 12) ="
            " substr(one.pod_sandbox_id, 1, 12) WHERE one.id = ?",
            (row.pod,),
        )
        return [number for (number,) in found]

    def _add_kin(self, row: Row) -> None:
        """Its other rows, its pod's sandbox, and those of its pod who may show that it is over.

        They took its place, or they started while it counted as open, and have a number of its.
        """
        pods = self.pods_of(row)
        for pod in pods:
            self.add(self._query(_OF_POD, pod, SANDBOX))
        if not row.container_id:
            return
        self.add(containers(self._database, row.container_id))
        for pod in pods:
            self.add(
                other
                for other in self._query(
                    f"{_OF_POD} AND p.name = ? AND p.first_seq <= ?",
                    pod,
                    CONTAINER,
                    row.name,
                    row.last_seq or _OPEN_ENDED - 1,
                )
                if other.attempt >= row.attempt
            )
            self.add(
                self._query(
                    f"{_OF_POD} AND p.first_seq <= ? AND (p.last_seq IS NULL OR p.last_seq >= ?)",
                    pod,
                    CONTAINER,
                    row.last_seq or _OPEN_ENDED - 1,
                    row.first_seq,
                )
            )

    def _query(self, sql: str, *values: int | str) -> list[Row]:
        return [Row(*one) for one in self._database.execute(sql, values)]


def processes(database: sqlite3.Connection, where: str, *values: int | str | None) -> list[Row]:
    """The processes that a condition on `p`, a constant of the caller's, names."""
    return [
        Row(*one)
        for one in database.execute(f"SELECT {_COLUMNS} FROM process p WHERE {where}", values)  # noqa: S608 - a constant
    ]


def containers(database: sqlite3.Connection, prefix: str) -> list[Row]:
    """The containers whose id begins with `prefix`."""
    return processes(
        database,
        "p.container_id != '' AND substr(p.container_id, 1, 12) BETWEEN ? AND ?"
        " AND p.container_id >= ? AND substr(p.container_id, 1, ?) = ?",
        prefix[:12],
        prefix[:12] + "~",
        prefix,
        len(prefix),
        prefix,
    )


def sandboxes(database: sqlite3.Connection, prefix: str) -> list[Row]:
    """The sandboxes whose id begins with `prefix`."""
    return processes(
        database,
        "p.kind = 0 AND p.pod IN (SELECT id FROM pod"
        " WHERE substr(pod_sandbox_id, 1, 12) BETWEEN ? AND ?"
        " AND substr(pod_sandbox_id, 1, ?) = ?)",
        prefix[:12],
        prefix[:12] + "~",
        len(prefix),
        prefix,
    )


def _groups(rows: list[Row]) -> Iterator[list[Row]]:
    """`rows`, which are in the order of their beginning, by chains of those open at once."""
    group: list[Row] = []
    end = 0
    for row in rows:
        if group and row.first_seq > end:
            yield group
            group, end = [], 0
        group.append(row)
        end = max(end, row.last_seq or _OPEN_ENDED)
    if group:
        yield group


def _list(ids: Iterable[int]) -> str:
    """Numbers of rows for an IN: they are SQLite's own."""
    return ",".join(map(str, ids))


def _portions(ids: list[int], size: int = 500) -> Iterator[list[int]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]
