"""Which pods a question may be about: rows of the index, always rather too many than too few."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from nsledger.index.store import Mark

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
