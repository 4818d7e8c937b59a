"""Who shares what in one pod: processes by namespace types, and which cells are one namespace.

Values only: `pod_matrix` makes them, `matrix_table` and `process_tables` draw them. As they are
they stand in `nsledger show -o json`, so a field's name is a promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from nsledger.model.events import Source
from nsledger.model.instants import unix_ns
from nsledger.model.judgement import CONTAINER_PREFIX, HOST, PRIVATE, UNKNOWN, LayerPair, Verdict
from nsledger.model.namespaces import (
    NEW,
    NO_PROCESS,
    IdMapping,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    ReadingSource,
    RequestedNamespaces,
)
from nsledger.model.refs import PodRef
from nsledger.rules.claims import JudgementContext
from nsledger.rules.sharing import container_sharing, sandbox_sharing
from nsledger.state.coverage import Unwatched
from nsledger.state.pod import Container, LayerRecords, Pod

ORDER: Final = (
    NamespaceType.NET,
    NamespaceType.IPC,
    NamespaceType.UTS,
    NamespaceType.PID,
    NamespaceType.MNT,
    NamespaceType.USER,
    NamespaceType.CGROUP,
    NamespaceType.TIME,
)
"""What people argue about comes first."""

State = Literal["created", "running", "ended"]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One process, one type, three layers."""

    sharing: str
    """`host`, `pod`, `container:<name>`, `private` or `unknown`: as judged when it started, and
    anew where `changed` tells of a later namespace."""
    group: str | None = None
    """A letter; cells with the same one are one namespace. None if no other process shown is in
    it, and for the host's."""
    verdict: Verdict | None
    """None where the daemon did not judge, such as a container that only the hook saw."""
    reason: str
    rule: str = ""
    """Which rule decided the verdict."""
    differ: tuple[LayerPair, ...] = ()
    """Which layers contradict each other, where the verdict is `mismatch`."""
    requested: str | None
    """CRI's mode by name; None where nothing was asked or can be."""
    assigned: str | None
    """`new`, `inherited` or a path; None where the runtime told nothing."""
    actual: NamespaceIdentity | None
    source: ReadingSource | None = None
    """How `actual` is known: read in /proc by the daemon or by the hook, or where it is mounted."""
    time: str | None = None
    """RFC 3339: when `actual` was read."""
    changed: tuple[int, ...] = ()
    """Records that found the process in another namespace than before; the verdict is older."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox or a container: one row."""

    kind: Literal["sandbox", "container"]
    id: str
    """The runtime's."""
    name: str
    attempt: int
    image: str
    pid: int | None
    state: State
    since: str | None
    """RFC 3339; None if no process was seen."""
    seen_since: bool
    """Nobody saw it begin: it was there at `since`, and may have been before."""
    until: str | None
    unobservable: str
    """Why there is no reading of its namespaces."""
    evidence: tuple[int, ...]
    """Sequence numbers of the records."""
    records: LayerRecords = LayerRecords()
    privileged: bool = False
    uid_map: tuple[IdMapping, ...] = ()
    """Of its user namespace, as the host sees it; empty in the host's."""
    namespaces: dict[NamespaceType, Cell]


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """One pod."""

    pod: PodRef
    state: State
    since: str | None
    until: str | None
    netns_path: str
    ips: tuple[str, ...]
    processes: tuple[Process, ...]
    """The sandbox, then the containers as they appeared."""
    earlier_attempts: int
    """Containers that were left out, since one of the same name came after them."""
    at: str | None = None
    """The moment it is told of; None is the last record."""
    unwatched: tuple[Unwatched, ...] = ()
    """When nobody watched, if `at` is in it: all here is as it was before."""

    def mismatches(self) -> Iterator[tuple[Process, NamespaceType, Cell]]:
        """The cells whose layers disagree."""
        for process in self.processes:
            for type_ in ORDER:
                cell = process.namespaces[type_]
                if cell.verdict is Verdict.MISMATCH:
                    yield process, type_, cell

    def changes(self) -> Iterator[tuple[Process, NamespaceType, Cell]]:
        """The cells of processes that were found in another namespace than they started in."""
        for process in self.processes:
            for type_ in ORDER:
                if process.namespaces[type_].changed:
                    yield process, type_, process.namespaces[type_]


def grouped(rows: Sequence[Process]) -> list[Process]:
    """The same rows with a letter for each namespace that two or more of them are in."""
    letters = _letters()
    cells = [dict(row.namespaces) for row in rows]
    for type_ in ORDER:
        for at, row in enumerate(rows):
            if cells[at][type_].group or cells[at][type_].sharing == HOST:
                continue
            others = [
                other
                for other in range(at + 1, len(rows))
                if not cells[other][type_].group and in_one(type_, row, rows[other])
            ]
            if others:
                letter = next(letters)
                for member in (at, *others):
                    cells[member][type_] = replace(cells[member][type_], group=letter)
    return [replace(row, namespaces=of_row) for row, of_row in zip(rows, cells, strict=True)]


def doubted(rows: Sequence[Process]) -> list[Process]:
    """The same rows, where nobody is said to be alone whom another may have joined unseen.

    A judgement is of the moment when its process started. Who started later and could not be read
    may be in the same namespace since; so may one that has the same number, where no ids tell.
    """
    return [
        replace(row, namespaces={type_: _doubted(row, type_, rows) for type_ in row.namespaces})
        for row in rows
    ]


def _doubted(row: Process, type_: NamespaceType, rows: Sequence[Process]) -> Cell:
    cell = row.namespaces[type_]
    if cell.sharing != PRIVATE or cell.group:
        return cell
    others = [other.name or other.id[:13] for other in rows if may_be_with(other, row, type_)]
    if not others:
        return cell
    return replace(
        cell,
        sharing=UNKNOWN,
        reason=cell.reason or f"of {', '.join(others)} it is not known whether it is in it too",
    )


def may_be_with(other: Process, row: Process, type_: NamespaceType) -> bool:
    """Whether `other` may be in the same as `row`: nothing was read of it, or the same number.

    Who has no process is in none, and who has ended was compared while it lived or never is.
    """
    theirs = other.namespaces[type_]
    if other is row or other.state != "running" or not lived_at_once(other, row):
        return False
    if theirs.reason in {NOBODYS, ENDED}:
        return False
    mine = row.namespaces[type_].actual
    return mine is None or theirs.actual is None or mine.same_as(theirs.actual)


def in_one(type_: NamespaceType, one: Process, other: Process) -> bool:
    """Whether both are in one namespace, which their inodes tell only if both lived at once."""
    mine, theirs = one.namespaces[type_].actual, other.namespaces[type_].actual
    if mine is None or theirs is None or not mine.same_as(theirs):
        return False
    if mine.ns_id is not None and theirs.ns_id is not None:
        return True
    if _says_new(type_, max(one, other, key=_since)):
        return False
    return lived_at_once(one, other)


def lived_at_once(one: Process, other: Process) -> bool:
    """Whether there was a moment when both were, as far as the record tells."""
    return _before_end(one, other) and _before_end(other, one)


def _says_new(type_: NamespaceType, younger: Process) -> bool:
    """Whether it should have got one that nobody has, and nobody compared it with who lived then.

    Then its number may be that of one who ended in silence.
    """
    cell = younger.namespaces[type_]
    return cell.assigned == NEW and cell.verdict is None


def _since(process: Process) -> int:
    return unix_ns(process.since) if process.since else 0


def _before_end(one: Process, other: Process) -> bool:
    """Whether `one` began before `other` ended."""
    return not other.until or not one.since or unix_ns(one.since) < unix_ns(other.until)


def _letters() -> Iterator[str]:
    for length in range(1, 10):
        for letter in ascii_uppercase:
            yield letter * length


def pod_matrix(
    pod: Pod,
    host: NamespaceReading | None,
    *,
    all_attempts: bool = False,
    at: str | None = None,
    unwatched: tuple[Unwatched, ...] = (),
) -> Matrix:
    """The matrix of `pod`; `host` is what counts as the host's on the boot of the last record."""
    newest = {_named(container): container for container in pod.containers.values()}
    shown = [
        container
        for container in pod.containers.values()
        if all_attempts or newest[_named(container)] is container
    ]
    rows = [_sandbox(pod, host), *(_container(container, pod, host) for container in shown)]
    return Matrix(
        pod=pod.ref,
        state=_state(ended=pod.ended, seen=bool(pod.since)),
        since=pod.since or None,
        until=pod.until or None,
        netns_path=pod.netns_path,
        ips=pod.ips,
        processes=tuple(doubted(grouped(rows))),
        earlier_attempts=len(pod.containers) - len(shown),
        at=at,
        unwatched=unwatched,
    )


def _named(container: Container) -> str:
    """What tells it from others: its name, or its id where no record told the name."""
    return container.ref.name or container.ref.container_id


def _sandbox(pod: Pod, host: NamespaceReading | None) -> Process:
    sharing: dict[NamespaceType, str] = {}
    if pod.actual is not None and host is not None and not pod.sandbox_ended:
        sharing = {type_: sandbox_sharing(type_, pod.actual, host) for type_ in ORDER}
    return Process(
        kind="sandbox",
        id=pod.ref.pod_sandbox_id,
        name="sandbox",
        attempt=pod.ref.attempt,
        image="",
        pid=None if pod.actual is None else pod.actual.pid or None,
        state=_state(ended=pod.sandbox_ended, seen=bool(pod.since)),
        since=pod.since or None,
        seen_since=pod.source is Source.RECONCILE,
        until=pod.sandbox_until or None,
        unobservable=pod.unobservable,
        evidence=tuple(sorted(pod.evidence)),
        records=pod.records,
        uid_map=() if pod.actual is None else pod.actual.uid_map,
        namespaces=_cells(pod, sharing),
    )


def _container(container: Container, pod: Pod, host: NamespaceReading | None) -> Process:
    actual = container.actual
    sharing: dict[NamespaceType, str] = {}
    if actual is not None and host is not None and container.running:
        siblings = pod.running_siblings(container.ref.container_id)
        around = JudgementContext(host=host, sandbox=pod.actual, siblings=siblings)
        sharing = {type_: container_sharing(type_, actual, around) for type_ in ORDER}
        for type_, identity in actual.namespaces.items():
            if container.assigned.get(type_) == NEW and identity.ns_id is None:
                sharing[type_] = _unless_reused(sharing[type_])
    return Process(
        kind="container",
        id=container.ref.container_id,
        name=container.ref.name,
        attempt=container.ref.attempt,
        image=container.ref.image,
        pid=None if actual is None else actual.pid,
        state=_state(ended=container.ended, seen=bool(container.since)),
        since=container.since or None,
        seen_since=container.source is Source.RECONCILE,
        until=container.until or None,
        unobservable=container.unobservable
        or (_FAILED_START if container.start_failed and container.actual is None else ""),
        evidence=tuple(sorted(container.evidence)),
        records=container.records,
        privileged=container.privileged,
        uid_map=() if actual is None else actual.uid_map,
        namespaces=_cells(container, sharing),
    )


def _unless_reused(sharing: str) -> str:
    """A sibling that has the number of a new namespace may be one that ended in silence."""
    return UNKNOWN if sharing.startswith(CONTAINER_PREFIX) else sharing


_FAILED_START: Final = "not started: its StartContainer failed"


def _state(*, ended: bool, seen: bool) -> State:
    if ended:
        return "ended"
    return "running" if seen else "created"


def _cells(told: Pod | Container, sharing: dict[NamespaceType, str]) -> dict[NamespaceType, Cell]:
    """One cell per type; `sharing` is how it looks by the last readings of all.

    That is what is said of types that the daemon did not judge, or that changed since it did.
    """
    cells: dict[NamespaceType, Cell] = {}
    actual, requested = told.actual, told.requested
    unjudged = Verdict.UNOBSERVABLE if told.unobservable else None
    for type_ in ORDER:
        judgement = told.judgements.get(type_)
        missing = "" if actual is None else actual.missing.get(type_, "")
        identity = None if actual is None else actual.namespaces.get(type_)
        changed = tuple(change.seq for change in told.changes if type_ in change.changed)
        judged = judgement is not None and not changed
        cells[type_] = Cell(
            sharing=judgement.sharing if judgement and judged else sharing.get(type_, UNKNOWN),
            verdict=judgement.verdict if judgement else unjudged,
            reason=judgement.reason if judgement else _why(missing) or told.unobservable,
            rule=judgement.rule if judgement else "",
            differ=judgement.differ if judgement else (),
            requested=None if requested is None else _mode(requested, type_),
            assigned=told.assigned.get(type_),
            actual=identity,
            source=None if identity is None else told.actual_source(type_),
            time=None if identity is None else told.actual_time(type_) or None,
            changed=changed,
        )
    return cells


ENDED: Final = "it had ended"
"""Why nothing could be read of a process that was gone before anybody looked."""
NOBODYS: Final = "no process"
"""Why a sandbox without a process has nothing in the types that it keeps no mount of."""


def _why(missing: str) -> str:
    return NOBODYS if missing == NO_PROCESS else missing


def _mode(requested: RequestedNamespaces, type_: NamespaceType) -> str | None:
    mode = requested.mode(type_)
    if mode is None:
        return None
    if mode is NamespaceMode.TARGET and requested.target_id:
        return f"{mode} {requested.target_id}"
    return mode.value if isinstance(mode, NamespaceMode) else f"mode {mode}"
