"""What a report tells beside the picture: who had what when, findings, the node. A fold.

The intervals and the findings are those of `whois` and `findings`; here they are only collected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from nsledger.index.records import Records
from nsledger.model.events import DaemonStarted, LedgerCreated
from nsledger.model.namespaces import NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.model.record import Record
from nsledger.query.index_lookup import ownership_of
from nsledger.state.coverage import Unwatched, Watch
from nsledger.state.findings import Finding
from nsledger.state.inspection import Inspection
from nsledger.state.intervals import End, Interval, Owner, OwnerKind
from nsledger.state.ownership import Ownership
from nsledger.state.process_findings import NodeFacts


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One process had these namespaces from when to when: intervals of one beginning and end."""

    owner: Owner
    since: str
    """RFC 3339."""
    seen_since: bool
    """Nobody saw it begin."""
    until: str | None
    end: End | None
    namespaces: dict[NamespaceType, NamespaceIdentity]
    """Without those that are the host's."""
    hosts: tuple[NamespaceType, ...]


class History:
    """What the records taken in so far tell. Memory O(running processes + spans)."""

    def __init__(self, pod_sandbox_ids: Iterable[str]) -> None:
        """Only of these pods are spans kept; findings are of all."""
        self.node: DaemonStarted | None = None
        """What the last daemon said of the node at its start."""
        self.ledger_id = ""
        self.boot_id = ""
        self.first: tuple[int, str] | None = None
        """Number and time of the first record."""
        self.last: tuple[int, str] | None = None
        self.holes: list[Unwatched] = []
        self._ownership = Ownership()
        self._inspection = Inspection()
        self._watch = Watch()
        self._host: NamespaceReading | None = None
        self._ended: dict[str, list[Span]] = {id_: [] for id_ in pod_sandbox_ids}
        """Spans that ended, by `pod_sandbox_id`."""

    def apply(self, record: Record) -> None:
        """Take in the next of all records."""
        self.take_node(record)
        self.take_finding(record)
        self.take_ownership(record)

    def take_node(self, record: Record) -> None:
        """Take in what the next record tells of the node, and of when nobody watched."""
        self.first = self.first or (record.seq, record.time)
        self.last = record.seq, record.time
        self.boot_id = record.boot_id
        hole = self._watch.apply(record)
        if hole is not None:
            self.holes.append(hole)
        event = record.event
        if isinstance(event, DaemonStarted):
            self.node = event
        elif isinstance(event, LedgerCreated):
            self.ledger_id = event.ledger_id

    def take_finding(self, record: Record) -> None:
        """Take in what the next record shows."""
        self._inspection.apply(record)

    def take_ownership(self, record: Record) -> None:
        """Take in who had what by the next record."""
        # Before the host is another one: what a reboot ends was of the boot before.
        for span in _spans(self._ownership.apply(record), self._host):
            self._ended.get(span.owner.pod.pod_sandbox_id, []).append(span)
        if isinstance(record.event, DaemonStarted):
            self._host = record.event.host

    @property
    def facts(self) -> NodeFacts:
        """What findings are held against."""
        node = self.node
        return NodeFacts() if node is None else NodeFacts(node.host, node.cgroup_version)

    def findings(self) -> list[Finding]:
        """As `nsledger findings` tells them."""
        return self._inspection.findings()

    def spans(self) -> Iterator[Span]:
        """The spans of the pods, pod by pod, those that go on last."""
        going_on: dict[str, list[Span]] = {}
        for span in _spans(self._ownership.open_intervals(), self._host):
            going_on.setdefault(span.owner.pod.pod_sandbox_id, []).append(span)
        for id_, ended in self._ended.items():
            yield from ended
            yield from going_on.get(id_, ())


def _spans(intervals: Iterable[Interval], host: NamespaceReading | None) -> Iterator[Span]:
    """One for each process, beginning and end; none for the host itself."""
    together: dict[tuple[str, str, str | None, End | None], list[Interval]] = {}
    for one in intervals:
        if one.owner.kind is not OwnerKind.HOST:
            key = one.owner.process_id, one.since, one.until, one.end
            together.setdefault(key, []).append(one)
    hosts = {} if host is None else host.namespaces
    for found in together.values():
        first = found[0]
        of_host = {
            one.type for one in found if one.type in hosts and one.identity.same_as(hosts[one.type])
        }
        yield Span(
            owner=first.owner,
            since=first.since,
            seen_since=first.seen_since,
            until=first.until,
            end=first.end,
            namespaces={one.type: one.identity for one in found if one.type not in of_host},
            hosts=tuple(one.type for one in found if one.type in of_host),
        )


def history_of(records: Records, pod_sandbox_ids: Collection[str], *, last_seq: int) -> History:
    """The history of these pods up to entry `last_seq`: of all records those that tell of it.

    Raises:
        EntryChangedError: the ledger is not what was indexed.
        UnreadableRecordError: an entry is no record.
        OSError: it cannot be read.
    """
    history = History(pod_sandbox_ids)
    told = [records.first(), *records.node(), records.at(last_seq)]
    by_seq = {record.seq: record for record in told if record is not None}
    for seq in sorted(by_seq):
        if seq <= last_seq:
            history.take_node(by_seq[seq])
    for record in records.findings():
        if record.seq <= last_seq:
            history.take_finding(record)
    for record in ownership_of(records, pod_sandbox_ids):
        if record.seq <= last_seq:
            history.take_ownership(record)
    return history
