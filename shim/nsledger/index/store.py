"""Writes what a scan found into the tables, and reads back where it stood."""

from __future__ import annotations

import contextlib
import sqlite3
from array import array
from typing import Final

import msgspec

from nsledger.index import sqlite_tables as tables
from nsledger.index.entries import Pointer, pack, unpack
from nsledger.index.scan import PodRow, ProcessRow, Scan
from nsledger.index.skim import Container, Identity, Pod, TypeName
from nsledger.index.telling import Hole, Period, PeriodSoFar, Telling, Watching
from nsledger.ledger.line import GENESIS
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceType

_NEW_PROCESS: Final = (
    "INSERT INTO process (id, kind, pod, container_id, name, attempt, pid, since_ns, until_ns,"
    " reach_ns, first_seq, last_seq, shared, of_host, entries)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PROCESS: Final = _NEW_PROCESS.replace("INSERT", "REPLACE", 1)
"""Slower, as it has to look for the row."""
_POD: Final = "REPLACE INTO pod VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TOLD: Final = "INSERT INTO told VALUES (?, ?, ?)"
_OPEN_OF_A_POD: Final = (
    "SELECT id, container_id, name, attempt, pid, since_ns, first_seq, shared, of_host, entries"
    " FROM process WHERE pod = ? AND last_seq IS NULL ORDER BY id DESC LIMIT 4096"
)


class Mark(msgspec.Struct, frozen=True):
    """Up to where an index goes, and what it needs to go on."""

    seq: int = 0
    digest: str = GENESIS.digest
    offset: int = 0
    """Where the line of that entry begins in its segment."""
    end: int = 0
    """Where the next one begins."""
    boot_id: str = ""
    clock_ns: int = 0
    recent: bytes = b""
    """Entries that a fold for holes in what follows begins with (`watching`)."""
    host: dict[TypeName, Identity] = {}
    pending: bytes = b""
    """Requests of which no record told yet what became of them (`telling`)."""
    period: PeriodSoFar | None = None
    damaged_seq: int = 0
    """The first entry that is not what was written, as far as the index goes; 0: there is none."""
    damage: str = ""
    """What is wrong with it."""


def make_tables(database: sqlite3.Connection) -> None:
    """An index of nothing, without what makes it quick to search."""
    database.executescript(tables.TABLES)
    _write_mark(database, Mark())


def make_quick(database: sqlite3.Connection) -> None:
    """Make what is searched by; later rows keep it."""
    database.executescript(tables.INDEXES)


def mark(database: sqlite3.Connection) -> Mark | None:
    """Up to where the index goes; None if it is of another version, or none at all."""
    with contextlib.suppress(sqlite3.Error, msgspec.DecodeError):
        row = database.execute("SELECT version, state FROM meta").fetchone()
        if row is not None and row[0] == tables.VERSION:
            return msgspec.json.decode(row[1], type=Mark)
    return None


class Store:
    """Gives rows their numbers and writes them; the caller commits."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._pods = _last_id(database, "pod")
        self._processes = _last_id(database, "process")

    def save(self, scan: Scan, telling: Telling, watching: Watching, reached: Mark) -> None:
        """Write all that was found since the last call, which took all three up to `reached`."""
        database, changed = self._database, scan.changed
        for row in changed:
            if not row.pod.row:
                scan.touch_pod(row.pod)
        self._save_pods(scan.changed_pods)
        self._save_telling(telling)
        known = [row for row in changed if row.row]
        new = [row for row in changed if not row.row]
        database.executemany(_NEW_PROCESS, map(self._values, new))
        database.executemany(_PROCESS, map(self._values, known))
        places: list[tuple[int, int, int, int | None]] = []
        names: list[tuple[str, int]] = []
        for row in changed:
            if len(row.places) > row.stored_places:
                places += [(row.row, *place) for place in list(row.places)[row.stored_places :]]
                row.stored_places = len(row.places)
            if len(row.names) > row.stored_names:
                names += [(name, row.row) for name in list(row.names)[row.stored_names :] if name]
                row.stored_names = len(row.names)
        database.executemany("INSERT INTO place VALUES (?, ?, ?, ?)", places)
        database.executemany("INSERT INTO name VALUES (?, ?)", names)
        self._save_rest(scan)
        database.executemany("INSERT INTO hole VALUES (?, ?, ?, ?, ?)", map(_hole, watching.holes))
        watching.holes.clear()
        _write_mark(database, reached)

    def _save_pods(self, changed: list[PodRow]) -> None:
        rows: list[tuple[int | str | None, ...]] = []
        told: list[tuple[int, int, bytes]] = []
        for pod in changed:
            ref = pod.ref
            if not pod.row and ref.pod_sandbox_id:
                self._pods += 1
                pod.row = self._pods
            if pod.row:
                rows.append(
                    (
                        pod.row,
                        ref.pod_sandbox_id,
                        ref.k8s_namespace,
                        ref.name,
                        ref.uid,
                        ref.attempt,
                        pod.first_seq,
                        pod.over_seq,
                        pod.removed_seq,
                        pod.noteworthy,
                    )
                )
            if pod.told:
                told.append((pod.row, min(pod.told[::3]), pack(pod.told)))
                pod.told = []
            pod.dirty = False
        changed.clear()
        self._database.executemany(_POD, rows)
        self._database.executemany(_TOLD, told)

    def _save_telling(self, telling: Telling) -> None:
        database = self._database
        database.executemany(
            "INSERT INTO also VALUES (?, ?)", [(name, pod.row) for pod, name in telling.others]
        )
        database.executemany(
            "INSERT INTO link VALUES (?, ?)", [(one.row, other.row) for one, other in telling.links]
        )
        database.executemany(
            "INSERT INTO request VALUES (?, ?, ?, ?)",
            [(pod.k8s_namespace, pod.name, pod.uid, pack(at)) for pod, at in telling.requests],
        )
        database.executemany(
            "INSERT INTO node VALUES (?, ?, ?, ?)",
            [(at[0], event, time_ns, pack(at)) for event, time_ns, at in telling.node],
        )
        database.executemany(
            "INSERT INTO period VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_period, telling.periods)
        )
        for told in (
            telling.others,
            telling.links,
            telling.requests,
            telling.node,
            telling.periods,
        ):
            told.clear()

    def _values(self, row: ProcessRow) -> tuple[int | str | bytes | None, ...]:
        if not row.row:
            self._processes += 1
            row.row = self._processes
        row.dirty = False
        return (
            row.row,
            row.kind,
            row.pod.row,
            row.container_id,
            row.name,
            row.attempt,
            row.pid,
            row.since_ns,
            row.until_ns,
            row.reach_ns,
            row.first_seq,
            row.last_seq,
            row.shared,
            row.of_host,
            pack(row.entries),
        )

    def _save_rest(self, scan: Scan) -> None:
        for at, changed, reading in scan.hosts:
            self._database.execute(
                "INSERT INTO host VALUES (?, ?, ?)", (pack(at), changed, reading.pid)
            )
            if changed:
                self._database.executemany(
                    "INSERT INTO host_place VALUES (?, ?, ?)",
                    [
                        (
                            tables.TYPES.index(NamespaceType(name)),
                            one.ino,
                            tables.signed(one.ns_id),
                        )
                        for name, one in reading.namespaces.items()
                    ],
                )
        self._database.executemany(
            "INSERT INTO boot VALUES (?, ?, ?)",
            [(pack(at), boot_id, time_ns) for at, boot_id, time_ns in scan.boots],
        )
        self._database.executemany("INSERT INTO odd VALUES (?)", [(pack(at),) for at in scan.odd])
        for told in (scan.changed, scan.hosts, scan.boots, scan.odd):
            told.clear()


def resume(database: sqlite3.Connection, reached: Mark) -> Scan:
    """A scan that goes on from `reached`, with the processes that were open there.

    It has forgotten what had ended by then, and which places are known: it says them again, and
    takes a late record's process for an open one. That costs a reader time and no answer.
    """
    scan = Scan()
    scan.go_on(reached.boot_id, reached.clock_ns, reached.host)
    pods = (
        "SELECT * FROM pod WHERE removed_seq IS NULL"
        " OR id IN (SELECT pod FROM process WHERE last_seq IS NULL) ORDER BY id"
    )
    for number, id_, k8s_namespace, name, uid, attempt, *rest in database.execute(pods).fetchall():
        pod = PodRow(Pod(id_, k8s_namespace, name, uid, attempt))
        pod.row = number
        pod.first_seq, pod.over_seq, pod.removed_seq, pod.noteworthy = rest
        scan.adopt(pod, _open_rows(database, pod))
    of_nobody = PodRow(Pod())
    scan.adopt(of_nobody, _open_rows(database, of_nobody))
    return scan


def _open_rows(database: sqlite3.Connection, pod: PodRow) -> list[ProcessRow]:
    rows: list[ProcessRow] = []
    for (
        number,
        id_,
        name,
        attempt,
        pid,
        since_ns,
        first_seq,
        shared,
        of_host,
        entries,
    ) in database.execute(_OPEN_OF_A_POD, (pod.row,)).fetchall():
        row = ProcessRow(pod, Container(id_, name, attempt) if id_ else None, first_seq)
        row.row, row.pid, row.since_ns, row.known = number, pid, since_ns, pid != 0
        row.shared, row.of_host = shared, of_host
        row.entries = [number for at in unpack(entries) for number in at]
        rows.append(row)
    rows.reverse()
    return rows


def _period(one: Period) -> tuple[int | bytes | None, ...]:
    return (
        one.number,
        one.first_seq,
        one.last_seq,
        one.offset,
        one.since_ns,
        one.until_ns,
        one.hook_ns,
        pack(one.hooks),
        array("I", (pod.row for pod in one.living)).tobytes(),
    )


def _hole(hole: Hole) -> tuple[int, int, str, bytes, int]:
    return (
        unix_ns(hole.told.since),
        unix_ns(hole.told.until),
        msgspec.json.encode(hole.told).decode(),
        pack(number for at in hole.entries for number in at),
        max(hole.told.evidence),
    )


def _last_id(database: sqlite3.Connection, table: str) -> int:
    (last,) = database.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608 - a constant of ours
    return int(last)


def _write_mark(database: sqlite3.Connection, reached: Mark) -> None:
    database.execute("DELETE FROM meta")
    database.execute(
        "INSERT INTO meta VALUES (?, ?)", (tables.VERSION, msgspec.json.encode(reached))
    )


def pointer_of(reached: Mark) -> Pointer:
    """The entry that the index ends with."""
    return Pointer(reached.seq, reached.offset, int(reached.digest[:16], 16))
