"""Which entries of a ledger an answer depends on: all that may, so never fewer than do.

An interval depends on the records of its own process, of its pod's sandbox and of the containers of
its pod while it was open, of other attempts of its container, and of whoever was read at the same
inode while it was open. Everything else in the
ledger can be left out without changing it: the property tests hold this against a fold over all.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from nsledger.index.entries import Pointer, unpack
from nsledger.index.sqlite_tables import CONTAINER, SANDBOX
from nsledger.index.store import Mark
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


NEVER: Final = 1 << 62
"""Behind every entry and every time."""
_BY_SANDBOX: Final = (
    "SELECT id FROM pod WHERE substr(pod_sandbox_id, 1, 12) BETWEEN ? AND ?"
    " AND substr(pod_sandbox_id, 1, ?) = ?"
)
_BY_CONTAINER: Final = (
    "SELECT pod FROM process WHERE container_id != '' AND substr(container_id, 1, 12)"
    " BETWEEN ? AND ? AND substr(container_id, 1, ?) = ?"
)
_SHORTEST_ID: Final = 4
_PORTION: Final = 500
_NEWEST: Final = 2000


class PodRows:
    """The pods of an index that goes up to `reached`."""

    def __init__(self, database: sqlite3.Connection, reached: Mark) -> None:
        """The connection is the caller's."""
        self.database = database
        self._reached = reached

    def called(self, asked: str) -> set[int]:
        """Rows of the pods that `asked` may mean: a name, a uid, or the beginning of an id."""
        found = set[int]()
        select = "SELECT id FROM pod WHERE "
        names = {asked, *(asked[at + 1 :] for at, one in enumerate(asked) if one == "/")}
        for name in names:
            found |= self.ids(select + "name = ?", name)
            found |= self.ids("SELECT pod FROM also WHERE name = ?", name)
        found |= self.ids(
            select + "uid = ? AND substr(uid, 1, 18) = substr(?, 1, 18)", asked, asked
        )
        if len(asked) >= _SHORTEST_ID:
            found |= self.of_ids([asked], [asked])
        return found

    def matching(self, patterns: Collection[str]) -> set[int]:
        """Rows of the pods that `log --pod` may mean: as `called`, or a shell pattern of a name."""
        found = set[int]()
        wild = [one for one in patterns if any(sign in one for sign in "*?[")]
        for pattern in patterns:
            found |= self.called(pattern)
        if wild:
            for id_, k8s_namespace, name, uid in self.database.execute(
                "SELECT id, k8s_namespace, name, uid FROM pod UNION ALL"
                " SELECT pod, '', name, name FROM also"
            ):
                words = name, f"{k8s_namespace}/{name}", uid
                if any(fnmatchcase(word, one) for one in wild for word in words):
                    found.add(id_)
        return found

    def there(self, seq: int | None) -> set[int]:
        """Rows of all pods that may have been there when entry `seq` was the last; None is now."""
        if seq is None or seq >= self._reached.seq:
            return self.ids("SELECT id FROM pod WHERE over_seq IS NULL")
        found, before = self._living_before(seq)
        found |= self.ids("SELECT id FROM pod WHERE first_seq > ? AND first_seq <= ?", before, seq)
        over = set[int]()
        for ids in portions(sorted(found)):
            over |= self.ids(
                f"SELECT id FROM pod WHERE id IN ({listed(ids)}) AND over_seq <= ?",  # noqa: S608 - numbers
                seq,
            )
        return found - over

    def ever(self, seq: int | None = None) -> set[int]:
        """Rows of all pods of which an entry up to `seq` may tell."""
        return self.ids("SELECT id FROM pod WHERE first_seq <= ?", NEVER if seq is None else seq)

    def newest(self, seq: int | None, most: int) -> set[int]:
        """Rows of the pods of which the newest entries up to `seq` tell that they are over."""
        return self.ids(
            "SELECT id FROM pod WHERE over_seq <= ? ORDER BY over_seq DESC LIMIT ?",
            NEVER if seq is None else seq,
            most,
        )

    def count(self, seq: int | None = None) -> int:
        """How many pods are on record."""
        (known,) = self.database.execute(
            "SELECT count(DISTINCT pod_sandbox_id) FROM pod WHERE first_seq <= ?",
            (NEVER if seq is None else seq,),
        ).fetchone()
        return int(known)

    def names(self, most: int = _NEWEST) -> list[str]:
        """What pods are called, the newest first."""
        rows = self.database.execute(
            "SELECT k8s_namespace, name FROM pod WHERE name != '' ORDER BY id DESC LIMIT ?", (most,)
        )
        return list(dict.fromkeys(word for ns, name in rows for word in (f"{ns}/{name}", name)))

    def of_ids(self, sandbox_ids: Iterable[str], container_ids: Iterable[str] = ()) -> set[int]:
        """Rows of pods by what their id begins with, and of those that had these containers."""
        found = set[int]()
        for id_ in sandbox_ids:
            found |= self.ids(_BY_SANDBOX, *_prefix(id_))
        for id_ in container_ids:
            found |= self.ids(_BY_CONTAINER, *_prefix(id_))
        return found

    def with_kin(self, rows: Collection[int]) -> set[int]:
        """`rows`, all others of the same pods, and of pods that told of a container of theirs."""
        found, new = set[int](), set(rows)
        while new:
            found |= new
            more = set[int]()
            for ids in portions(sorted(new)):
                numbers = listed(ids)
                more |= self.ids(
                    "SELECT other.id FROM pod one JOIN pod other"  # noqa: S608 - numbers
                    " ON substr(other.pod_sandbox_id, 1, 12) = substr(one.pod_sandbox_id, 1, 12)"
                    " AND other.pod_sandbox_id = one.pod_sandbox_id"
                    f" WHERE one.id IN ({numbers})"
                )
                more |= self.ids(f"SELECT other FROM link WHERE one IN ({numbers})")  # noqa: S608
                more |= self.ids(f"SELECT one FROM link WHERE other IN ({numbers})")  # noqa: S608
                more |= self.ids(
                    "SELECT other.pod FROM process one JOIN process other"  # noqa: S608 - numbers
                    " ON substr(other.container_id, 1, 12) = substr(one.container_id, 1, 12)"
                    " AND other.container_id = one.container_id AND other.container_id != ''"
                    f" WHERE one.pod IN ({numbers}) AND one.container_id != ''"
                )
            new = more - found
        return found

    def ids(self, select: str, *values: int | str) -> set[int]:
        """The numbers that a SELECT gives."""
        return {one for (one,) in self.database.execute(select, values)}

    def _living_before(self, seq: int) -> tuple[set[int], int]:
        """Rows that were not removed at the end of the last whole period before entry `seq`."""
        row = self.database.execute(
            "SELECT living, last_seq FROM period WHERE last_seq <= ? ORDER BY number DESC LIMIT 1",
            (seq,),
        ).fetchone()
        if row is None:
            return set(), 0
        rows = array("I")
        rows.frombytes(row[0])
        return set(rows), int(row[1])


def _prefix(text: str) -> tuple[str, str, int, str]:
    """The values that `_BY_SANDBOX` and `_BY_CONTAINER` ask for."""
    return text[:12], text[:12] + "~", len(text), text


def listed(ids: Iterable[int]) -> str:
    """Numbers of rows for an IN: they are SQLite's own."""
    return ",".join(map(str, ids))


def portions(ids: Sequence[int], size: int = _PORTION) -> Iterator[Sequence[int]]:
    """`ids` in parts that SQLite takes at once."""
    for at in range(0, len(ids), size):
        yield ids[at : at + size]
