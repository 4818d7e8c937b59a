"""The answer to a question from an index and its ledger: the one that a fold over all would give.

The index only tells which entries count. They are read from the ledger, hashed again, and folded
by `state.ownership`; where the index cannot tell them apart from the rest, the rest is folded too.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, assert_never

import msgspec

from nsledger.index.entries import Entries, Pointer, unpack
from nsledger.index.records import Records
from nsledger.index.selection import Row, Selection, containers, processes, sandboxes
from nsledger.index.sqlite_tables import CONTAINER, SANDBOX, TYPES, signed
from nsledger.index.store import Mark
from nsledger.model.events import (
    ContainerStarted,
    ContainerWitnessed,
    DaemonStarted,
    NamespaceChanged,
    PodAssigned,
)
from nsledger.model.instants import ALWAYS, Period, unix_ns
from nsledger.model.namespaces import NamespaceReading, NamespaceType
from nsledger.model.record import Record, decode
from nsledger.query.targets import (
    LEAST_ID,
    AnyOf,
    ByAddress,
    ByIdentity,
    ByInode,
    ByInterface,
    ByNamespaceId,
    ByPath,
    ByPid,
    ByProcessId,
    Question,
)
from nsledger.query.whois import Answer, conclude, find, owners
from nsledger.state.coverage import Unwatched, Watch
from nsledger.state.intervals import Interval
from nsledger.state.ownership import Ownership

_ALL_TYPES: Final = frozenset(NamespaceType)
_NET: Final = frozenset({NamespaceType.NET})


class Asking:
    """One question to one index, for a time."""

    def __init__(self, records: Records, period: Period) -> None:
        database = records.database
        self._records = records
        self._database = database
        self._entries = records.entries
        self._period = period
        self._tail = records.tail
        self._selection = Selection(database, period)
        self._hosts = False
        """Whether every reading of the host's namespaces counts, and not only the new ones."""

    def pointers(self, question: Question) -> set[Pointer] | None:
        """To the entries that the answer depends on; None where that may be any."""
        if not self._collect(*self._begin(question)):
            return None
        self._add_tail()
        return self._pointers()

    def pod_pointers(self, pod_sandbox_ids: Iterable[str]) -> set[Pointer] | None:
        """To the entries that the intervals of these pods depend on; None where that may be any."""
        for id_ in pod_sandbox_ids:
            seeds: list[Row] = []
            for pod in self._records.with_kin(self._records.of_ids([id_])):
                seeds += processes(self._database, "p.pod = ?", pod)
            if not self._collect(set(), seeds, _ALL_TYPES):
                return None
        self._add_tail()
        return self._pointers()

    def _collect(self, direct: set[int], seeds: list[Row], types: frozenset[NamespaceType]) -> bool:
        """Add the processes `seeds` and who was at an inode with them; False: it may be anybody."""
        seeds = [row for row in seeds if self._selection.meets(row)]
        self._selection.add(seeds)
        inodes = self._inodes(seeds, types) - direct
        ids, pods = {row.id for row in seeds}, {row.pod for row in seeds} - {0}
        for ino in direct:
            if not self._add_direct(ino):
                return False
        for ino in inodes:
            if self._is_mixed(ino):
                return False
            self._selection.add_around(ino, ids, pods)
        return True

    def open_pointers(self) -> set[Pointer]:
        """To the entries of all processes that no record of theirs has ended."""
        self._hosts = True
        self._selection.add(processes(self._database, "p.last_seq IS NULL"))
        self._add_tail()
        return self._pointers()

    def _pointers(self) -> set[Pointer]:
        """To the entries of all that was selected, and to those that always count."""
        found = self._selection.pointers()
        # All that tells of their pods: which of it the folds need is theirs to say.
        found |= self._records.told(self._records.with_kin(self._selection.pods()))
        for table, where in (("boot", ""), ("odd", ""), ("host", "" if self._hosts else "changed")):
            condition = f" WHERE {where}" if where else ""
            for (entry,) in self._database.execute(f"SELECT entry FROM {table}{condition}"):  # noqa: S608 - constants
                found.update(unpack(entry))
        return found

    def _begin(self, question: Question) -> tuple[set[int], list[Row], frozenset[NamespaceType]]:
        """Inodes that are asked for, processes that are, and the types that matter of these."""
        database = self._database
        match question:
            case ByInode(ino=ino):
                return {ino}, [], _ALL_TYPES
            case ByIdentity(identity=identity):
                return {identity.ino}, [], _ALL_TYPES
            case ByNamespaceId(ns_id=ns_id):
                return self._hosts_of_id(ns_id), self._of_id(ns_id), _ALL_TYPES
            case ByPid(pid=pid, type=type_):
                types = _ALL_TYPES if type_ is None else frozenset({type_})
                self._hosts = self._is_hosts_pid(pid)
                return set(), processes(database, "p.pid = ? AND p.pid != 0", pid), types
            case ByProcessId(prefix=prefix):
                both = [*containers(database, prefix), *sandboxes(database, prefix)]
                return set(), both, _ALL_TYPES
            case ByAddress(ip=name) | ByInterface(name=name) | ByPath(path=name):
                return set(), self._named(name), _NET
            case AnyOf(number=number):
                _, seeds, _ = self._begin(ByPid(number))
                if number >= LEAST_ID:
                    seeds += self._begin(ByProcessId(str(number)))[1]
                seeds += self._of_id(str(number))
                return {number, *self._hosts_of_id(str(number))}, seeds, _ALL_TYPES
            case _:
                assert_never(question)

    def _of_id(self, ns_id: str) -> list[Row]:
        """Who was read in the namespace of that id, and the containers that may share it."""
        if int(ns_id) >= 1 << 64:
            return []
        found = processes(
            self._database, "p.id IN (SELECT process FROM place WHERE ns_id = ?)", signed(ns_id)
        )
        for pod in {row.pod for row in found if row.kind == SANDBOX}:
            found += processes(self._database, "p.pod = ? AND p.kind = ?", pod, CONTAINER)
        return found

    def _hosts_of_id(self, ns_id: str) -> set[int]:
        if int(ns_id) >= 1 << 64:
            return set()
        found = self._database.execute(
            "SELECT DISTINCT ino FROM host_place WHERE ns_id = ?", (signed(ns_id),)
        )
        return {ino for (ino,) in found}

    def _is_hosts_pid(self, pid: int) -> bool:
        row = self._database.execute("SELECT 1 FROM host WHERE pid = ? LIMIT 1", (pid,)).fetchone()
        return row is not None

    def _named(self, name: str) -> list[Row]:
        """The sandboxes that a record calls `name`, and their containers."""
        rows = processes(self._database, "p.id IN (SELECT process FROM name WHERE name = ?)", name)
        found = list(rows)
        for row in rows:
            for pod in self._selection.pods_of(row):
                found += processes(self._database, "p.pod = ? AND p.kind = ?", pod, CONTAINER)
        return found

    def _inodes(self, rows: Iterable[Row], types: frozenset[NamespaceType]) -> set[int]:
        """Where processes were read, by their records."""
        pointers: set[Pointer] = set()
        for row in rows:
            (entries,) = self._database.execute(
                "SELECT entries FROM process WHERE id = ?", (row.id,)
            ).fetchone()
            pointers.update(unpack(entries))
        records = (decode(entry.line) for entry in self._entries.read(pointers))
        return _inodes_in(records, types)

    def _add_direct(self, ino: int) -> bool:
        """Add who was at `ino` in the time asked for; False where that may be anybody."""
        selection = self._selection
        types = self._hosts_types(ino)
        if types:
            self._hosts = True
            if self._is_mixed(ino):
                return False
            bits = sum(1 << TYPES.index(type_) for type_ in types)
            if self._period.is_always:
                return not self._has(bits)
            those = processes(self._database, f"p.of_host & {bits}")
            selection.add(row for row in those if selection.meets(row))
        selection.add_inode(ino, selection.meets)
        return True

    def _is_mixed(self, ino: int) -> bool:
        """Whether `ino` was the host's with others in it, and also something else."""
        types = self._hosts_types(ino)
        if not types:
            return False
        self._hosts = True
        row = self._database.execute("SELECT 1 FROM place WHERE ino = ? LIMIT 1", (ino,)).fetchone()
        return row is not None and self._has(sum(1 << TYPES.index(type_) for type_ in types))

    def _has(self, bits: int) -> bool:
        """Whether any process was seen in one of the host's namespaces of these types."""
        row = self._database.execute(
            "SELECT 1 FROM process WHERE of_host & ? LIMIT 1", (bits,)
        ).fetchone()
        return row is not None or any(
            isinstance(record.event, PodAssigned | ContainerWitnessed | ContainerStarted)
            for record in self._tail
        )

    def _hosts_types(self, ino: int) -> set[NamespaceType]:
        """Of which types `ino` was the host's at any time."""
        found = self._database.execute("SELECT type FROM host_place WHERE ino = ?", (ino,))
        types: set[NamespaceType] = {TYPES[type_] for (type_,) in found}
        for record in self._tail:
            if isinstance(record.event, DaemonStarted):
                for type_, identity in record.event.host.namespaces.items():
                    if identity.ino == ino:
                        types.add(type_)
        return types

    def _add_tail(self) -> None:
        """Whoever the records of the tail are about, and whom they may end."""
        for ino in _inodes_in(self._tail, _ALL_TYPES):
            self._selection.add_inode(ino, lambda row: row.last_seq is None)
        ids: dict[str, None] = {}
        for record in self._tail:
            pod = getattr(record.event, "pod", None)
            container = getattr(record.event, "container", None)
            if pod is not None:
                ids[pod.pod_sandbox_id] = None
            if container is not None:
                ids[container.container_id] = None
        for id_ in ids:
            if id_:
                self._selection.add(containers(self._database, id_))
                self._selection.add(sandboxes(self._database, id_))


def _inodes_in(records: Iterable[Record], types: Collection[NamespaceType]) -> set[int]:
    found: set[int] = set()
    for record in records:
        event = record.event
        readings: list[NamespaceReading | None] = []
        match event:
            case PodAssigned() | ContainerWitnessed() | ContainerStarted() | NamespaceChanged():
                readings = [event.actual]
            case _:
                continue
        for reading in readings:
            if reading is not None:
                found.update(
                    identity.ino for type_, identity in reading.namespaces.items() if type_ in types
                )
    return found


_FOREVER_NS: Final = (1 << 63) - 1


def answer(records: Records, question: Question, *, asked: str, period: Period) -> Answer:
    """Answer `question` from a ledger, to where it ends now.

    Raises:
        EntryChangedError: the ledger is not what was indexed.
        UnreadableRecordError: an entry is no record.
        OSError: it cannot be read.
    """
    database, reached = records.database, records.reached
    tail, entries = records.tail, records.entries
    pointers = Asking(records, period).pointers(question)
    if pointers is None:
        return find(records.everything(), question, asked=asked, period=period)
    found = owners([*_records(entries, pointers), *tail], question)
    holes = [] if found and period.is_always else _holes(database, entries, reached, tail, period)
    first, last = records.first(), records.last()
    return conclude(
        found,
        holes,
        asked=asked,
        period=period,
        first_time=None if first is None else first.time,
        last_time=None if last is None else last.time,
    )


def open_intervals(records: Records) -> list[Interval]:
    """What no record has ended, by the records of those who are open.

    One of them may be over by the record of somebody else who got its inode since: whoever looks at
    living processes sees that by their start.

    Raises:
        As `answer`.
    """
    entries, tail = records.entries, records.tail
    pointers = Asking(records, ALWAYS).open_pointers()
    ownership = Ownership()
    for record in [*_records(entries, pointers), *tail]:
        ownership.apply(record)
    return list(ownership.open_intervals())


def ownership_of(records: Records, pod_sandbox_ids: Iterable[str]) -> Iterator[Record]:
    """The records that the intervals of these pods depend on.

    Raises:
        As `answer`.
    """
    entries, tail = records.entries, records.tail
    pointers = Asking(records, ALWAYS).pod_pointers(pod_sandbox_ids)
    if pointers is None:
        return records.everything()
    return itertools.chain(_records(entries, pointers), tail)


def _records(entries: Entries, pointers: Iterable[Pointer]) -> list[Record]:
    return [decode(entry.line) for entry in entries.read(at for at in pointers if at.seq)]


def _holes(
    database: sqlite3.Connection,
    entries: Entries,
    reached: Mark,
    tail: Sequence[Record],
    period: Period,
) -> list[Unwatched]:
    """What nobody watched, told by the records on either side of it."""
    since_ns = 0 if period.since is None else unix_ns(period.since)
    until_ns = _FOREVER_NS if period.until is None else unix_ns(period.until)
    holes: list[Unwatched] = []
    for told, packed in database.execute(
        "SELECT told, entries FROM hole WHERE until_ns >= ? AND since_ns <= ? ORDER BY rowid",
        (since_ns, until_ns),
    ):
        # Read for their hashes, and to see that the ledger still has them all.
        pointers = list(unpack(packed))
        if len(list(entries.read(pointers))) == len(pointers):
            holes.append(msgspec.json.decode(told, type=Unwatched))
    watch = Watch()
    for record in [*_records(entries, unpack(reached.recent)), *tail]:
        hole = watch.apply(record)
        if hole is not None and record.seq > reached.seq:
            holes.append(hole)
    return holes
