"""Which entries tell of which pod: what lets a question about a few pods read a few entries.

Every entry goes to one list: of the pod sandbox that it is about, of the requests that never led to
one, or of the node. The lists are generous. A pod counts as there until a record ends it, and as
noteworthy as soon as a finding may be about it; the folds of `nsledger.state` decide.

Time is cut into periods of `PERIOD` entries. Of each the index knows the first and last time told,
which pods were not removed at its end, and which hook records in it are older than they look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from nsledger.index.entries import Numbers, Pointer
from nsledger.index.scan import PodRow, Scan
from nsledger.index.skim import Pod, Skimmed
from nsledger.model.events import (
    ContainerStarted,
    ContainerWitnessed,
    DaemonStarted,
    Ending,
    PodAssigned,
    Source,
)
from nsledger.model.record import Record, UnreadableRecordError, decode
from nsledger.state.coverage import Unwatched, Watch
from nsledger.state.process_findings import NodeFacts, of_start, partial

PERIOD: Final = 1024
"""Entries in one period."""
_PENDING: Final = 4096
"""Requests that wait for what became of them, as many as the fold of pods keeps."""
_SEEN: Final = 65_536
"""Containers whose witnesses are remembered; of one that was forgotten a finding may be."""
_JUDGED: Final = 4096
_BY_SHIM, _BY_HOOK = 1, 2

_QUIET: Final = frozenset(
    {
        "pod.requested",
        "pod.removed",
        "container.requested",
        "container.assigned",
        "container.removed",
        "call.failed",
    }
)
"""Events that show nothing by themselves."""
_AFTER_THE_END: Final = frozenset(
    {
        "pod.stopped",
        "pod.removed",
        "container.witnessed",
        "container.stopped",
        "container.removed",
        "call.failed",
    }
)
"""Events that may come late; any other of a pod that was over makes it count as there again."""


@dataclass(slots=True)
class Period:
    """Entries `number` x `PERIOD` and on."""

    number: int
    first_seq: int
    offset: int
    """Where its first line stands in its segment."""
    since_ns: int
    """The earliest time that a record in it tells."""
    until_ns: int
    hook_ns: int | None = None
    """The earliest moment that a hook's record in it is of."""
    hooks: list[int] = field(default_factory=list[int])
    """Those records: pointers, flat, each followed by its moment."""
    last_seq: int = 0
    living: list[PodRow] = field(default_factory=list[PodRow])
    """Pods that were not removed at its end."""


class PeriodSoFar(msgspec.Struct, frozen=True):
    """A period that goes on where an index ends."""

    number: int
    first_seq: int
    offset: int
    since_ns: int
    until_ns: int
    hook_ns: int | None
    hooks: list[int]


class Telling:
    """A fold over all entries, beside a `Scan`; what it found since it was last written."""

    def __init__(self, scan: Scan, so_far: PeriodSoFar | None = None) -> None:
        self.requests: list[tuple[Pod, Numbers]] = []
        """Requests that led to no pod, and failed calls that name none."""
        self.others: dict[tuple[PodRow, str], None] = {}
        """What a record calls a pod, where that is not what its row says."""
        self.links: list[tuple[PodRow, PodRow]] = []
        """Pods of which records tell of the same container: they are folded together."""
        self.node: list[tuple[str, int, Numbers]] = []
        """Event, time and place of each entry that is about no pod."""
        self.periods: list[Period] = []
        """Those that are over."""
        self.pending: dict[str, list[tuple[Pod, Numbers]]] = {}
        """Requests by `audit_id`, of which no record told yet what became of them."""
        self._scan = scan
        self._asked: dict[str, PodRow] = {}
        self._seen: dict[str, int] = {}
        self._facts = NodeFacts()
        self._judged: dict[tuple[bytes, str, str, bool], bool] = {}
        self._ns = scan.ns
        self._boot_id = scan.boot_id
        self._period: Period | None = None
        if so_far is not None:
            self._period = Period(
                so_far.number,
                so_far.first_seq,
                so_far.offset,
                so_far.since_ns,
                so_far.until_ns,
                so_far.hook_ns,
                list(so_far.hooks),
            )

    @property
    def so_far(self) -> PeriodSoFar | None:
        """The period that is not over."""
        now = self._period
        if now is None:
            return None
        return PeriodSoFar(
            now.number,
            now.first_seq,
            now.offset,
            now.since_ns,
            now.until_ns,
            now.hook_ns,
            now.hooks,
        )

    def apply(self, record: Skimmed, at: Numbers, line: bytes) -> None:
        """Take in the next record, before the scan does.

        Raises:
            NotAnInstantError: its time is none.
        """
        time_ns = self._ns(record.time)
        self._time(at, time_ns)
        self._scan.turn(record, at)
        if record.boot_id != self._boot_id:
            self._boot_id = record.boot_id
            self._give_up(list(self.pending))
            self._asked.clear()
        if record.event == "daemon.started":
            self.take_facts(line)
        pod, container = record.pod, record.container
        if pod is None and container is None:
            self.node.append((record.event, time_ns, at))
            return
        pod = pod or Pod()
        home = self._home(record, pod)
        if record.event == "call.failed":
            self._failed(record, home, at)
        if home is None:
            self._ask(record, pod, at)
            return
        if record.event in {"pod.assigned", "container.assigned"}:
            for _, pointer in self.pending.pop(record.audit_id, ()):
                home.told += pointer
            self._asked.pop(record.audit_id, None)
        elif record.event == "container.requested":
            self._asked[record.audit_id] = home
            _keep_newest(self._asked, _PENDING)
        elif record.event == "container.witnessed":
            self._hook(record, time_ns, at)
        self._tell(record, home, at, line)

    def _home(self, record: Skimmed, pod: Pod) -> PodRow | None:
        """The pod that the record is about; None where it names none that has an id."""
        scan = self._scan
        id_ = "" if record.container is None else record.container.container_id
        home = scan.home.get(id_) if id_ else None
        if home is None:
            if pod.pod_sandbox_id:
                return self._called(scan.pod(pod), pod)
            return scan.pod(pod) if id_ and record.event != "call.failed" else None
        if pod.pod_sandbox_id and home.ref.pod_sandbox_id != pod.pod_sandbox_id:
            other = self._called(scan.pod(pod), pod)
            self._begin(other, record.seq)
            self.links.append((other, home))
            return home if home.ref.pod_sandbox_id else other
        return self._called(home, pod)

    def _called(self, row: PodRow, pod: Pod) -> PodRow:
        """Remember what else than its row says a record calls the pod."""
        known = row.ref
        if known != pod:
            if pod.name and (pod.name, pod.k8s_namespace) != (known.name, known.k8s_namespace):
                self.others[row, pod.name] = None
            elif pod.k8s_namespace != known.k8s_namespace and known.name:
                self.others[row, known.name] = None
            if pod.uid and pod.uid != known.uid:
                self.others[row, pod.uid] = None
        return row

    def _begin(self, row: PodRow, seq: int) -> None:
        if not row.first_seq:
            row.first_seq = seq
            if row.ended:  # a late record of one that was removed
                row.over_seq = row.removed_seq = seq

    def _tell(self, record: Skimmed, row: PodRow, at: Numbers, line: bytes) -> None:
        self._begin(row, record.seq)
        event = record.event
        row.told += at
        # When only the sandbox was found ended, its containers may go on.
        found_ended = event == "pod.stopped" and record.source is Source.RECONCILE
        if event in {"pod.stopped", "pod.removed"} and not found_ended:
            if row.over_seq is None:
                row.over_seq = record.seq
            if event == "pod.removed":
                row.removed_seq = record.seq
        elif row.over_seq is not None and event not in _AFTER_THE_END:
            row.over_seq = row.removed_seq = None
        if not row.noteworthy and self._is_noteworthy(record, line):
            row.noteworthy = True
        self._scan.touch_pod(row)

    def _ask(self, record: Skimmed, pod: Pod, at: Numbers) -> None:
        """A record of a pod that has no id yet, or never gets one."""
        if record.event in {"pod.requested", "container.requested"}:
            self.pending.setdefault(record.audit_id, []).append((pod, at))
            if len(self.pending) > _PENDING:
                self._give_up([next(iter(self.pending))])
        else:
            self.requests.append((pod, at))

    def _failed(self, record: Skimmed, home: PodRow | None, at: Numbers) -> None:
        self._give_up([record.audit_id])
        asked = self._asked.pop(record.audit_id, None)
        if asked is not None and asked is not home:
            asked.told += at
            self._scan.touch_pod(asked)

    def _give_up(self, audit_ids: list[str]) -> None:
        for audit_id in audit_ids:
            self.requests += self.pending.pop(audit_id, ())

    def _hook(self, record: Skimmed, time_ns: int, at: Numbers) -> None:
        period = self._period
        if period is None:
            return
        hook_ns = self._ns(record.hook_time) if record.hook_time else time_ns
        period.hooks += (*at, hook_ns)
        period.hook_ns = hook_ns if period.hook_ns is None else min(period.hook_ns, hook_ns)

    def _time(self, at: Numbers, time_ns: int) -> None:
        """One more record of a period, or the first of the next."""
        period, seq = self._period, at[0]
        if period is not None and period.number == seq // PERIOD:
            if time_ns > period.until_ns:
                period.until_ns = time_ns
            elif time_ns < period.since_ns:
                period.since_ns = time_ns
            return
        if period is not None:
            period.last_seq = seq - 1
            scan = self._scan
            period.living = [
                row
                for rows in (scan.pods, scan.parked)
                for id_, row in rows.items()
                if id_ and row.first_seq
            ]
            self.periods.append(period)
        self._period = Period(seq // PERIOD, seq, at[1], time_ns, time_ns)

    def _is_noteworthy(self, record: Skimmed, line: bytes) -> bool:
        event = record.event
        by_shim = record.source is Source.CRI_PROXY
        id_ = "" if record.container is None else record.container.container_id
        match event:
            case "container.assigned" if by_shim:
                self._see(id_, _BY_SHIM)
                return False
            case "container.removed":
                self._seen.pop(id_, None)
                return False
            case "container.witnessed":
                known = self._seen.get(id_, 0)
                self._see(id_, _BY_HOOK)
                return not known & _BY_SHIM or self._shows(record, line)
            case "container.started" if by_shim:
                hooked = record.witnessed or self._seen.get(id_, 0) & _BY_HOOK
                self._see(id_, _BY_SHIM)
                return not hooked or self._shows(record, line)
            case "pod.assigned" if by_shim:
                return self._shows(record, line)
            case "pod.stopped" | "container.stopped" if by_shim:
                return record.ending not in {None, Ending.STOPPED}
            case _:
                return event not in _QUIET

    def _see(self, id_: str, witness: int) -> None:
        self._seen[id_] = self._seen.get(id_, 0) | witness
        _keep_newest(self._seen, _SEEN)

    def _shows(self, record: Skimmed, line: bytes) -> bool:
        """Whether the rules of findings say something of the start on `line`."""
        missing = None if record.actual is None else record.actual.missing
        key = (
            bytes(record.judgements),
            str(missing),
            record.unobservable,
            record.actual is None,
        )
        known = self._judged.get(key)
        if known is None:
            if len(self._judged) >= _JUDGED:
                self._judged.clear()
            known = self._judged[key] = self._is_found(line)
        return known

    def _is_found(self, line: bytes) -> bool:
        try:
            record = decode(line)
        except UnreadableRecordError:
            return True
        match record.event:
            case PodAssigned() | ContainerStarted() as event:
                return any(True for _ in of_start(record, event, self._facts))
            case ContainerWitnessed() as event:
                return any(True for _ in partial(record, event, self._facts))
            case _:
                return True

    def take_facts(self, line: bytes) -> None:
        """What findings are held against from now on, by the record of a daemon's start."""
        try:
            event = decode(line).event
        except UnreadableRecordError:
            return
        if isinstance(event, DaemonStarted):
            self._facts = NodeFacts(event.host, event.cgroup_version)
            self._judged.clear()


def _keep_newest(found: dict[str, int] | dict[str, PodRow], limit: int) -> None:
    while len(found) > limit:
        del found[next(iter(found))]


# Unwatched times, found while an index is written: the fold of `state.coverage` over the few
# records that can tell of one. What is about a pod only shows that somebody watched until then, so
# the last such record before another one stands for all of them.

ABOUT_PODS: Final = frozenset(
    {
        "pod.requested",
        "pod.assigned",
        "pod.stopped",
        "pod.removed",
        "container.requested",
        "container.assigned",
        "container.witnessed",
        "container.started",
        "container.stopped",
        "container.removed",
        "namespace.changed",
        "call.failed",
    }
)


class Hole(NamedTuple):
    """A hole, and the entries that tell of it."""

    told: Unwatched
    entries: tuple[Pointer, ...]


class Watching:
    """Holes that were found since they were last written."""

    def __init__(self, recent: Iterable[tuple[Pointer, Record]] = ()) -> None:
        self.holes: list[Hole] = []
        self.last: tuple[Numbers, bytes] | None = None
        """The last record about a pod and its line; whoever builds puts it here."""
        self._watch = Watch()
        self._recent: dict[int, Pointer] = {}
        for at, record in recent:
            self._recent[at.seq] = at
            self._watch.apply(record)

    def apply(self, at: Pointer, line: bytes) -> None:
        """Take in a record that is about no pod."""
        self.catch_up()
        self._feed(at, line)

    def catch_up(self) -> None:
        """Take in the last record about a pod."""
        if self.last is not None:
            at, line = self.last
            self._feed(Pointer(*at), line)
            self.last = None

    @property
    def recent(self) -> list[Pointer]:
        """What a fold over later records has to begin with."""
        return list(self._recent.values())

    def _feed(self, at: Pointer, line: bytes) -> None:
        try:
            record = decode(line)
        except UnreadableRecordError:
            return  # whoever asks will be told
        self._recent[at.seq] = at
        needed = self._watch.basis
        hole = self._watch.apply(record)
        if hole is not None:
            known = (self._recent.get(seq) for seq in sorted({*needed, *hole.evidence}))
            self.holes.append(Hole(hole, tuple(one for one in known if one is not None)))
        basis = self._watch.basis
        self._recent = {seq: self._recent[seq] for seq in basis if seq in self._recent}
