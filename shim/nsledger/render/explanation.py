"""Why the cells of a matrix are as they are, in sentences: pure, and from a closed set of kinds.

A sharing is only claimed of processes whose readings show one namespace, a cause only where the
layers were compared and agree. Every container is in one sentence of each type at least, if only to
say what is not known of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from nsledger.model.judgement import CONTAINER_PREFIX, HOST, POD, PRIVATE, UNKNOWN, Rule, Verdict
from nsledger.model.namespaces import INHERITED, NEW, NamespaceIdentity, NamespaceType
from nsledger.model.refs import PodRef
from nsledger.render import causes, effects
from nsledger.render.causes import label, listed
from nsledger.state.coverage import Unwatched
from nsledger.state.matrix import NOBODYS, ORDER, Cell, Matrix, Process, State, may_be_with


class SentenceKind(enum.StrEnum):
    """What a sentence claims of its processes."""

    SHARED = "shared"
    """They are in one namespace, which is not the host's."""
    HOST = "host"
    """They are in the host's."""
    PRIVATE = "private"
    """Each is alone in its own."""
    WAS_SHARED = "was_shared"
    """It was in one with another when it started; of those shown nobody else is in it."""
    DISAGREEMENT = "disagreement"
    """Its layers contradict each other."""
    CHANGED = "changed"
    """It was found in another one than it started in."""
    UNKNOWN = "unknown"
    """Nothing can be said, and why."""
    NOT_STARTED = "not_started"
    """No process of it was seen yet."""


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """One claim, with its evidence."""

    kind: SentenceKind
    text: str
    processes: tuple[str, ...]
    """Whom it is about: `sandbox`, or a container's name."""
    ids: tuple[str, ...]
    """The runtime's ids of the same, in the same order."""
    namespaces: tuple[NamespaceIdentity, ...]
    """The one that they share, or that of each; empty where nothing was read."""
    records: tuple[int, ...]
    """Sequence numbers of the records that show it."""


class TypeExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of one type."""

    type: NamespaceType
    sentences: tuple[Sentence, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Of one pod."""

    pod: PodRef
    state: State
    at: str | None
    unwatched: tuple[Unwatched, ...]
    types: tuple[TypeExplanation, ...]

    @property
    def bad_news(self) -> bool:
        """Whether layers disagree, or a process moved."""
        bad = {SentenceKind.DISAGREEMENT, SentenceKind.CHANGED}
        return any(one.kind in bad for of_type in self.types for one in of_type.sentences)


def explain(
    matrix: Matrix, types: Iterable[NamespaceType] = ORDER, containers: Sequence[str] = ()
) -> Explanation:
    """Say of each of `types` who shares what and why; of all processes, or what is about some."""
    wanted = set(containers)
    return Explanation(
        pod=matrix.pod,
        state=matrix.state,
        at=matrix.at,
        unwatched=matrix.unwatched,
        types=tuple(
            TypeExplanation(
                type=type_,
                sentences=tuple(
                    one
                    for one in _sentences(type_, matrix)
                    if not wanted or wanted & set(one.processes)
                ),
            )
            for type_ in types
        ),
    )


def _sentences(type_: NamespaceType, matrix: Matrix) -> Iterator[Sentence]:
    rows = matrix.processes
    cells = [row.namespaces[type_] for row in rows]
    hosts = [row for row, cell in zip(rows, cells, strict=True) if cell.sharing == HOST]
    if hosts:
        yield _together(SentenceKind.HOST, type_, hosts, matrix)
    for group in dict.fromkeys(cell.group for cell in cells if cell.group):
        members = [row for row in rows if row.namespaces[type_].group == group]
        yield _together(SentenceKind.SHARED, type_, members, matrix)
    single = [row for row in rows if not row.namespaces[type_].group and row not in hosts]
    private = [
        row
        for row in single
        if _is_private(row, type_) and not any(may_be_with(one, row, type_) for one in rows)
    ]
    yield from _alone(type_, [row for row in private if not _idle(row, matrix)], matrix)
    for row in single:
        if row not in private and row.namespaces[type_].reason != NOBODYS:
            yield _left_over(type_, row)
    for row in rows:
        if row.namespaces[type_].verdict is Verdict.MISMATCH:
            yield _disagreement(type_, row)
        if row.namespaces[type_].changed:
            yield _changed(type_, row)


def _is_private(row: Process, type_: NamespaceType) -> bool:
    cell = row.namespaces[type_]
    own = {PRIVATE, POD} if row.kind == "sandbox" else {PRIVATE}
    return cell.actual is not None and cell.sharing in own


def _idle(row: Process, matrix: Matrix) -> bool:
    """Whether it is a sandbox that waits beside containers which did not join it: no news."""
    return row.kind == "sandbox" and len(matrix.processes) > 1


def _together(
    kind: SentenceKind, type_: NamespaceType, rows: Sequence[Process], matrix: Matrix
) -> Sentence:
    """Of processes in one namespace; the sandbox is only named where it is needed."""
    containers = [row for row in rows if row.kind == "container"]
    sandbox = [row for row in rows if row.kind == "sandbox"]
    enough = 1 if kind is SentenceKind.HOST else 2
    named = containers if len(containers) >= enough else [*containers, *sandbox]
    phrases = effects.HOST if kind is SentenceKind.HOST else effects.SHARED
    does = phrases[type_].after(len(named), past=all(row.state == "ended" for row in named))
    if kind is SentenceKind.SHARED and type_ is NamespaceType.USER:
        does += _root_outside(rows)
    because = _cause(type_, containers or sandbox, matrix, by_name=containers != named)
    return _sentence(kind, type_, rows, f"{_names(named, matrix)} {does}: {because}")


def _alone(type_: NamespaceType, rows: Sequence[Process], matrix: Matrix) -> Iterator[Sentence]:
    """One sentence for all who are alone for the same reason."""
    alike: dict[tuple[object, ...], list[Process]] = {}
    for row in rows:
        cell = row.namespaces[type_]
        mergeable = cell.assigned == NEW and row.state != "ended"
        key = (
            cell.requested,
            row.records.requested is None,
            causes.agrees(row, type_),
            row.privileged,
            None if mergeable else row.id,
        )
        alike.setdefault(key, []).append(row)
    for some in alike.values():
        does = effects.PRIVATE[type_].after(len(some), past=some[0].state == "ended")
        because = _cause(type_, some, matrix)
        text = f"{_names(some, matrix)} {does}: {because}"
        yield _sentence(SentenceKind.PRIVATE, type_, some, text)


def _names(rows: Sequence[Process], matrix: Matrix) -> str:
    """Whom it is about; who ended is told from those that the pod has still."""
    return listed(
        [label(row) + (" (ended)" if row.state == "ended" != matrix.state else "") for row in rows]
    )


def _cause(
    type_: NamespaceType, rows: Sequence[Process], matrix: Matrix, *, by_name: bool = False
) -> str:
    """How, which namespace, and why; only which, of those whose layers do not tell a cause."""
    kernel = listed(list(dict.fromkeys(_kernel_name(type_, row) for row in rows)))
    explained = [row for row in rows if causes.agrees(row, type_)]
    others = [row for row in rows if row not in explained]
    if not explained:
        return f"{kernel}; {_no_cause(type_, rows)}"
    how = causes.how(type_, explained, matrix, by_name=by_name or bool(others))
    text = f"{how} ({kernel}){causes.why(type_, explained, matrix)}"
    if others:
        text += f"; {_no_cause(type_, others)}"
    return text


def _no_cause(type_: NamespaceType, rows: Sequence[Process]) -> str:
    """Why no cause is given."""
    who = listed([label(row) for row in rows])
    if any(row.namespaces[type_].verdict is Verdict.MISMATCH for row in rows):
        return f"the layers of {who} disagree"
    if any(row.namespaces[type_].changed for row in rows):
        return f"{who} came there after the start"
    return f"the layers of {who} were not compared"


def _kernel_name(type_: NamespaceType, row: Process) -> str:
    actual = row.namespaces[type_].actual
    return f"{type_}:[{'?' if actual is None else actual.ino}]"


def _root_outside(rows: Sequence[Process]) -> str:
    for row in rows:
        for line in row.uid_map:
            if line.container_id <= 0 < line.container_id + line.length:
                return f", in which root is uid {line.host_id - line.container_id} on the node"
    return ""


def _left_over(type_: NamespaceType, row: Process) -> Sentence:
    """Of a process of which no sharing can be claimed now."""
    cell = row.namespaces[type_]
    name = label(row)
    if cell.actual is not None and (
        cell.sharing == POD or cell.sharing.startswith(CONTAINER_PREFIX)
    ):
        whose = (
            "the sandbox's"
            if cell.sharing == POD
            else f"that of {cell.sharing.removeprefix(CONTAINER_PREFIX)}"
        )
        text = f"{name} started in {whose} ({_kernel_name(type_, row)}); nobody else shown is in it"
        return _sentence(SentenceKind.WAS_SHARED, type_, [row], text)
    if cell.actual is None and row.unobservable.startswith("not started"):
        text = f"{name} was {row.unobservable}"
        return _sentence(SentenceKind.NOT_STARTED, type_, [row], text)
    if cell.actual is None and row.state == "created":
        text = f"{name} was created, and no process of it was seen"
        return _sentence(SentenceKind.NOT_STARTED, type_, [row], text)
    reason = cell.reason or row.unobservable or _why_unknown(cell)
    text = f"whose {type_} namespace {name} is in is not known: {reason}"
    return _sentence(SentenceKind.UNKNOWN, type_, [row], text)


def _why_unknown(cell: Cell) -> str:
    if cell.actual is None:
        return "there is no reading of its process on record"
    return "too little was read of those that it would be compared with"


_GOT: Final = {
    HOST: "the node's",
    POD: "the sandbox's",
    PRIVATE: "one of its own",
    UNKNOWN: "one of which it is not known whose it is",
}
_ASSIGNED: Final = {
    None: "the OCI spec is not on record",
    NEW: "the OCI spec makes a new one",
    INHERITED: "the OCI spec names none and so means the node's",
}


def _disagreement(type_: NamespaceType, row: Process) -> Sentence:
    cell = row.namespaces[type_]
    if cell.rule == Rule.REQUESTED_MAPPINGS or cell.changed:
        text = f"the layers of {label(row)} disagreed when it started: {cell.reason}"
        return _sentence(SentenceKind.DISAGREEMENT, type_, [row], text)
    requested = "CRI asked nothing of it"
    if cell.requested is not None:
        requested = f"CRI asked for {causes.asked(cell.requested)}"
    assigned = _ASSIGNED.get(cell.assigned) or f"the OCI spec says {cell.assigned}"
    got = _GOT.get(cell.sharing) or f"that of {cell.sharing.removeprefix(CONTAINER_PREFIX)}"
    text = (
        f"the layers of {label(row)} disagree: {requested}, {assigned}, "
        f"and the process is in {got} ({_kernel_name(type_, row)})"
    )
    return _sentence(SentenceKind.DISAGREEMENT, type_, [row], text)


def _changed(type_: NamespaceType, row: Process) -> Sentence:
    times = len(row.namespaces[type_].changed)
    often = "" if times == 1 else f" {times} times"
    text = (
        f"{label(row)} was found{often} in another {type_} namespace than before, "
        f"by setns(2) or unshare(2); it is in {_kernel_name(type_, row)} now"
    )
    return _sentence(SentenceKind.CHANGED, type_, [row], text)


def _sentence(
    kind: SentenceKind, type_: NamespaceType, rows: Sequence[Process], text: str
) -> Sentence:
    cells = [row.namespaces[type_] for row in rows]
    seen = [cell.actual for cell in cells if cell.actual is not None]
    return Sentence(
        kind=kind,
        text=text,
        processes=tuple(row.name or row.id for row in rows),
        ids=tuple(row.id for row in rows),
        namespaces=tuple(dict.fromkeys(seen)),
        records=tuple(sorted(set(_records(rows, cells)))),
    )


def _records(rows: Sequence[Process], cells: Sequence[Cell]) -> Iterator[int]:
    for row, cell in zip(rows, cells, strict=True):
        told = row.records
        layers = (told.requested, told.assigned, told.actual)
        shown = [seq for seq in layers if seq is not None]
        yield from shown or row.evidence
        yield from cell.changed
