"""The records that a question depends on, found by the index and read from the ledger.

    with opened(ledger, cache=None) as index:
        records = Records(index.database, index.reached, ledger)
        rows = records.called("shop/web")
        then = records.past(rows, at=None)          # the same fold as over the whole ledger
        find_pod(then.workloads, "shop/web")

The index only says where to look. Each entry is read again and hashed, and the folds of
`nsledger.state` get it in the order of the ledger, together with what always counts: the boots,
the host's namespaces, what a newer version wrote, and the entries behind the index. A pod is folded
with all that tells of it, and with every pod of which a record tells of the same container. The
property tests hold the answers against folds over everything.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec

from nsledger.index.builder import lines
from nsledger.index.entries import Entries, EntryChangedError, Pointer, unpack
from nsledger.index.selection import NEVER, PodRows, listed, portions
from nsledger.index.store import Mark, pointer_of
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.line import Entry, digest_of
from nsledger.model.instants import unix_ns
from nsledger.model.record import Record, decode
from nsledger.state import past
from nsledger.state.past import Past
from nsledger.state.pods import Workloads

_FORGOTTEN: Final = 4096
"""Removed pods and containers whose late records a daemon tells from those of new ones."""
_MOSTLY: Final = 4
"""Where more than one in so many pods counts, reading all entries in their order is quicker."""
_FEW: Final = 2000


class Records(PodRows):
    """One state of one ledger and of its index."""

    def __init__(self, database: sqlite3.Connection, reached: Mark, ledger: str) -> None:
        """Reads what is behind the index.

        Raises:
            EntryChangedError: what is behind the index does not follow it.
            UnreadableRecordError: an entry there is no record.
            OSError: it cannot be read.
        """
        super().__init__(database, reached)
        self.reached = reached
        self.ledger = ledger
        self.entries = Entries(ledger)
        self.tail = list(_tail(ledger, reached))
        """The records that the index has not got yet."""

    @property
    def last_seq(self) -> int:
        """Of the last entry."""
        return self.tail[-1].seq if self.tail else self.reached.seq

    def past(self, rows: Collection[int], *, at: str | None) -> Past:
        """What the records add up to at `at`, of these pods and of those told of since the index.

        Raises:
            NothingYetError: the ledger begins after `at`.
        """
        kin = self._with_the_tails(rows)
        if at is None:
            then = past.now(self._read(self._always(None) | self.told(kin)))
        else:
            last_seq = self.last_seq_at(at)
            # What was written later may tell of then: an end that is dated, or one taken back.
            pointers = self._hooks(last_seq, at, kin) | self.told(kin)
            pointers |= self._always(last_seq) | self._around(at)
            records = self._read(self._with_their_holes(pointers))
            then = past.as_of(records, at=at, last_seq=last_seq)
        self._leave_out_others(then.workloads, kin)
        return then

    def last_seq_at(self, at: str) -> int:
        """The sequence number of the last record that was written by `at`; 0 if none was."""
        behind = past.last_seq_at(reversed(self.tail), at)
        if behind:
            return behind
        at_ns = unix_ns(at)
        so_far = self.reached.period
        if so_far is not None and so_far.since_ns <= at_ns:
            return self._last_in(
                self._stretch(so_far.first_seq, self.reached.seq, so_far.offset), at
            )
        row = self.database.execute(
            "SELECT first_seq, last_seq, offset FROM period WHERE since_ns <= ?"
            " ORDER BY number DESC LIMIT 1",
            (at_ns,),
        ).fetchone()
        return 0 if row is None else self._last_in(self._stretch(*row), at)

    def findings(self) -> Iterator[Record]:
        """The records that findings can be about, and those that tell when nobody watched."""
        (all_,) = self.database.execute("SELECT count(*) FROM pod").fetchone()
        # With what no pod is known of: only the hook saw it.
        noteworthy = self.ids("SELECT id FROM pod WHERE noteworthy = 1") | {0}
        if len(noteworthy) > max(_FEW, all_ // _MOSTLY):
            return self.everything()
        pointers = self._always(None)
        for table in ("node", "host", "boot", "odd"):
            pointers |= self._pointers(f"SELECT entry FROM {table}")  # noqa: S608 - a constant
        pointers |= self._pointers("SELECT entries FROM hole")
        pointers |= set(unpack(self.reached.recent)) | self._first_hook()
        context = list(self._read(pointers))
        kin = self._with_the_tails(noteworthy | self.of_ids(*_ids_in(context)))
        return self._read(pointers | self.told(kin))

    def node(self) -> list[Record]:
        """The records that are about no pod, and those that tell when nobody watched."""
        pointers = self._always(None) | self._pointers("SELECT entry FROM node")
        pointers |= self._pointers("SELECT entries FROM hole") | set(unpack(self.reached.recent))
        return list(self._read(pointers))

    def gaps(self, since_ns: int) -> list[Record]:
        """The gaps that were recorded from `since_ns` on, and all that is behind the index."""
        found = self._pointers(
            "SELECT entry FROM node WHERE event = 'gap' AND time_ns >= ?", since_ns
        )
        return [one for one in self._read(found) if unix_ns(one.time) >= since_ns]

    def newest_entries(self) -> Iterator[Entry]:
        """The last few thousand entries."""
        so_far = self.reached.period
        if so_far is not None:
            yield from _entries(self.ledger, so_far.first_seq - 1, so_far.offset)

    def restored(self, before_seq: int) -> list[bytes]:
        """What a daemon has to know when it starts, of the lines before entry `before_seq`.

        The pods that were not removed, and of those that were the newest, since late records of
        them may still come.
        """
        kept = self.ids("SELECT id FROM pod WHERE removed_seq IS NULL")
        newest = self.ids(
            "SELECT id FROM pod WHERE removed_seq IS NOT NULL ORDER BY removed_seq DESC LIMIT ?",
            _FORGOTTEN // 4,
        )
        kin = self._with_the_tails(kept | newest) | {0}
        pointers = {at for at in self._always(None) | self.told(kin) if 0 < at.seq < before_seq}
        behind = _entries(self.ledger, self.reached.seq, self.reached.end)
        found = itertools.chain(self.entries.read(pointers), behind)
        return [entry.line for entry in found if entry.seq < before_seq]

    def about(self, patterns: Collection[str]) -> Iterator[Entry]:
        """The entries that may tell of pods called so, and all of those without an id; in order."""
        kin = self.with_kin(self.matching(patterns)) | {0}
        pointers = self.told(kin) | set(unpack(self.reached.pending))
        pointers |= self._pointers("SELECT entry FROM request")
        pointers |= self._pointers("SELECT entry FROM odd")
        yield from self.entries.read(pointers)
        yield from _entries(self.ledger, self.reached.seq, self.reached.end)

    def everything(self) -> Iterator[Record]:
        """All records."""
        return self.without_index(self.ledger)

    @staticmethod
    def without_index(ledger: str) -> Iterator[Record]:
        """All records of `ledger`, but for those that do not follow the one before."""
        return (decode(entry.line) for entry in checked(ledger))

    def first(self) -> Record | None:
        """The first record."""
        entry = next(_entries(self.ledger, 0, 0), None)
        return None if entry is None else decode(entry.line)

    def at(self, seq: int) -> Record | None:
        """The record of entry `seq`; None if it is not there."""
        if seq > self.reached.seq:
            return next((one for one in self.tail if one.seq == seq), None)
        so_far = self.reached.period
        if so_far is not None and seq >= so_far.first_seq:
            stretch = self._stretch(so_far.first_seq, seq, so_far.offset)
        else:
            row = self.database.execute(
                "SELECT first_seq, offset FROM period WHERE first_seq <= ?"
                " ORDER BY number DESC LIMIT 1",
                (seq,),
            ).fetchone()
            if row is None:
                return None
            stretch = self._stretch(row[0], seq, row[1])
        return next((decode(entry.line) for entry in stretch if entry.seq == seq), None)

    def last(self) -> Record | None:
        """The last record."""
        if self.tail:
            return self.tail[-1]
        found = self.entries.read([pointer_of(self.reached)]) if self.reached.seq else ()
        return next((decode(entry.line) for entry in found), None)

    def stretches(self, since_ns: int | None, until_ns: int | None) -> Iterator[Iterator[Entry]]:
        """The entries that may tell a time in between, by stretches of the ledger, in order."""
        low = -NEVER if since_ns is None else since_ns
        high = NEVER if until_ns is None else until_ns
        for first_seq, last_seq, offset in self.database.execute(
            "SELECT first_seq, last_seq, offset FROM period WHERE until_ns >= ? AND since_ns < ?"
            " ORDER BY number",
            (low, high),
        ).fetchall():
            yield self._stretch(first_seq, last_seq, offset)
        so_far = self.reached.period
        if so_far is not None and so_far.until_ns >= low and so_far.since_ns < high:
            yield self._stretch(so_far.first_seq, self.reached.seq, so_far.offset)
        yield _entries(self.ledger, self.reached.seq, self.reached.end)

    def _pointers(self, select: str, *values: int | str) -> set[Pointer]:
        found = set[Pointer]()
        for (packed,) in self.database.execute(select, values):
            found.update(unpack(packed))
        return found

    def _read(self, pointers: Iterable[Pointer]) -> Iterator[Record]:
        for entry in self.entries.read(at for at in pointers if at.seq):
            yield decode(entry.line)
        yield from self.tail

    def told(self, rows: Collection[int], through_seq: int = NEVER) -> set[Pointer]:
        """To the entries that tell of these pods, up to `through_seq`."""
        found = set[Pointer]()
        for ids in portions(sorted(rows)):
            for (packed,) in self.database.execute(
                f"SELECT entries FROM told WHERE pod IN ({listed(ids)}) AND seq <= ?",  # noqa: S608
                (through_seq,),
            ):
                found.update(at for at in unpack(packed) if at.seq <= through_seq)
        return found

    def _always(self, seq: int | None) -> set[Pointer]:
        """What counts for every pod: boots, the host's namespaces, and the ledger's last entry."""
        end = NEVER if seq is None else seq
        found = self._pointers("SELECT entry FROM boot") | self._pointers("SELECT entry FROM odd")
        found |= self._pointers("SELECT entry FROM host WHERE changed")
        found |= self._pointers(
            "SELECT entry FROM node WHERE event NOT IN"
            " ('daemon.started', 'daemon.stopped', 'gap', 'ledger.pruned')"
        )
        found |= self._pointers(
            "SELECT entry FROM node WHERE event = 'daemon.started' AND seq <= ?"
            " ORDER BY seq DESC LIMIT 1",
            end,
        )
        found.add(pointer_of(self.reached))
        return found

    def _around(self, at: str) -> set[Pointer]:
        """What tells whether anybody watched at `at`, and the first record."""
        at_ns = unix_ns(at)
        found = self._pointers(
            "SELECT entries FROM hole WHERE since_ns <= ? AND until_ns >= ?", at_ns, at_ns
        )
        found |= self._pointers("SELECT entry FROM node ORDER BY seq LIMIT 1")
        return found | set(unpack(self.reached.recent))

    def _with_their_holes(self, pointers: set[Pointer]) -> set[Pointer]:
        """A daemon's start is told with the record before it, or it would seem a longer absence."""
        starts = self._pointers("SELECT entry FROM node WHERE event = 'daemon.started'")
        found, new = set(pointers), starts & pointers
        while new:
            more = set[Pointer]()
            for one in new:
                more |= self._pointers("SELECT entries FROM hole WHERE seq = ?", one.seq)
            new = (more - found) & starts
            found |= more
        return found

    def _hooks(self, seq: int, at: str, kin: set[int]) -> set[Pointer]:
        """Records behind entry `seq` of what hooks saw by `at`; their pods are added to `kin`."""
        at_ns = unix_ns(at)
        packed = [
            bytes(hooks)
            for (hooks,) in self.database.execute(
                "SELECT hooks FROM period WHERE last_seq > ? AND hook_ns <= ?", (seq, at_ns)
            )
        ]
        late = list(_timed(packed, self.reached, seq, at_ns))
        if not late:
            return set()
        records = [decode(entry.line) for entry in self.entries.read(late)]
        more = self.with_kin(self.of_ids(*_ids_in(records))) - kin
        kin |= more
        return set(late) | self.told(more, seq)

    def _stretch(self, first_seq: int, last_seq: int, offset: int) -> Iterator[Entry]:
        found = _entries(self.ledger, first_seq - 1, offset)
        return itertools.takewhile(lambda entry: entry.seq <= last_seq, found)

    def _last_in(self, stretch: Iterator[Entry], at: str) -> int:
        """The last of these entries that was written by `at`; 0 if none was."""
        at_ns, found = unix_ns(at), 0
        for entry in stretch:
            if unix_ns(_time_of(entry.line).time) <= at_ns:
                found = entry.seq
        return found

    def _first_hook(self) -> set[Pointer]:
        """That there is a hook at all is told by any record of one."""
        row = self.database.execute(
            "SELECT hooks FROM period WHERE hook_ns IS NOT NULL ORDER BY number LIMIT 1"
        ).fetchone()
        so_far = self.reached.period
        numbers = array("Q")
        if row is not None:
            numbers.frombytes(row[0])
        elif so_far is not None:
            numbers.extend(so_far.hooks)
        return {Pointer(*numbers[:3])} if numbers else set()

    def _with_the_tails(self, rows: Collection[int]) -> set[int]:
        return self.with_kin({*rows, *self.of_ids(*_ids_in(self.tail))})

    def _leave_out_others(self, workloads: Workloads, rows: Collection[int]) -> None:
        """A record that is read for its time alone tells too little of its pod."""
        told = _ids_in(self.tail)[0]
        for ids in portions(sorted(rows)):
            told |= {
                id_
                for (id_,) in self.database.execute(
                    f"SELECT pod_sandbox_id FROM pod WHERE id IN ({listed(ids)})"  # noqa: S608
                )
            }
        for id_ in [id_ for id_ in workloads.pods if id_ and id_ not in told]:
            del workloads.pods[id_]


def checked(ledger: str) -> Iterator[Entry]:
    """The entries of a ledger; what does not follow is left out, as the index does."""
    before: Entry | None = None
    for entry in _entries(ledger, 0, 0):
        if before is not None:
            if entry.seq <= before.seq:
                continue
            if entry.seq > before.seq + 1 or entry.prev == digest_of(before.line):
                yield before
        before = entry
    if before is not None:
        yield before


def _entries(ledger: str, after_seq: int, offset: int) -> Iterator[Entry]:
    """The lines that are entries, after one whose segment goes on at `offset`."""
    for _, line in lines(ledger, after_seq, offset):
        with contextlib.suppress(NotAnEntryError):
            yield Entry.parse(line)


def _tail(ledger: str, reached: Mark) -> Iterator[Record]:
    """The records behind the index, which follow it and one another."""
    seq, digest = reached.seq, reached.digest
    for _, line in lines(ledger, reached.seq, reached.end):
        try:
            entry = Entry.parse(line)
        except NotAnEntryError as error:
            raise EntryChangedError(seq=seq + 1) from error
        if reached.seq and (entry.seq != seq + 1 or entry.prev != digest):
            raise EntryChangedError(seq=seq + 1)
        seq, digest = entry.seq, digest_of(line)
        yield decode(line)


def _ids_in(records: Iterable[Record]) -> tuple[set[str], set[str]]:
    """The pod sandboxes and the containers that records are about."""
    pods, containers = set[str](), set[str]()
    for record in records:
        pod = getattr(record.event, "pod", None)
        container = getattr(record.event, "container", None)
        if pod is not None:
            pods.add(pod.pod_sandbox_id)
        if container is not None:
            containers.add(container.container_id)
    return pods - {""}, containers - {""}


class _Time(msgspec.Struct, frozen=True):
    time: str


_time_of: Final = msgspec.json.Decoder(_Time).decode


def _timed(packed: Iterable[bytes], reached: Mark, seq: int, at_ns: int) -> Iterator[Pointer]:
    """Pointers to hook records behind entry `seq` that are of `at_ns` or before."""
    numbers = array("Q", () if reached.period is None else reached.period.hooks)
    for one in packed:
        numbers.frombytes(one)
    for at in range(0, len(numbers), 4):
        if numbers[at] > seq and numbers[at + 3] <= at_ns:
            yield Pointer(*numbers[at : at + 3])
