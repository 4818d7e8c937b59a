"""What an event says, in one line: the table's last column."""

from __future__ import annotations

from typing import Final, assert_never

from nsledger.model.events import (
    CallFailed,
    ClockStepped,
    ContainerAssigned,
    ContainerRemoved,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    DaemonStopped,
    DiskStage,
    DiskStageChanged,
    Ending,
    Event,
    Gap,
    LedgerCreated,
    LedgerPruned,
    LedgerRecovered,
    LedgerResumed,
    LedgerStopped,
    LedgerUnattested,
    NamespaceChanged,
    NodeRebooted,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    SegmentAltered,
    Source,
    UnknownEvent,
)
from nsledger.model.judgement import HOST, Judgement, Verdict
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.render.matrix import HOSTS_BY_DEFAULT
from nsledger.render.tables import Piece, date_and_clock
from nsledger.render.text import Screen, Tone
from nsledger.state.matrix import ORDER

_GRPC_STATUS: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""By number. Source: grpc, doc/statuscodes.md."""


_ENDINGS: Final = {
    Ending.EXITED: "exited",
    Ending.VANISHED: "vanished",
    Ending.PROCESS_GONE: "process gone",
}


def summary(event: Event | UnknownEvent, screen: Screen) -> Piece:
    """The gist of `event`; its tone says how much it should worry.

    What was found says so, and in which span of time it must have happened.
    """
    gist = _gist(event, screen)
    if isinstance(event, UnknownEvent) or event.source is not Source.RECONCILE:
        return gist
    found = "found"
    if event.not_before:
        found = f"found; it was not there at {date_and_clock(event.not_before, screen.zone)[1]}"
    return Piece(f"{found}: {gist.text}" if gist.text else found, gist.tone)


def _gist(event: Event | UnknownEvent, screen: Screen) -> Piece:
    match event:
        case PodRequested() | ContainerRequested():
            return Piece(_asked(event.requested, screen))
        case ContainerAssigned():
            return Piece(_assigned(event.assigned, screen))
        case PodAssigned() | ContainerStarted():
            return _got(event, screen)
        case ContainerWitnessed():
            return _witnessed(event)
        case ContainerStopped() | PodStopped():
            return Piece("" if event.ending is Ending.STOPPED else _ENDINGS[event.ending])
        case ContainerRemoved() | PodRemoved():
            return Piece("")
        case NamespaceChanged():
            return Piece(f"now in another {' '.join(event.changed)}", Tone.WARNING)
        case CallFailed():
            return Piece(f"{event.method}: {_status(event.grpc_status)}", Tone.FAILED)
        case Gap():
            detail = f", {event.detail}" if event.detail else ""
            count = "unknown number" if event.count is None else event.count
            return Piece(f"{count} missed: {event.reason}{detail}", Tone.FAILED)
        case LedgerCreated():
            return Piece(f"ledger {event.ledger_id}")
        case LedgerRecovered():
            span = f", entries {event.from_seq} to {event.through_seq}" if event.through_seq else ""
            return Piece(
                f"{event.torn_bytes} torn bytes{span}, kept as {event.kept_as}", Tone.WARNING
            )
        case LedgerUnattested():
            why = f": {event.reason}" if event.reason else ""
            return Piece(
                f"nobody vouches for entries {event.from_seq} to {event.through_seq}{why}",
                Tone.WARNING,
            )
        case (
            LedgerPruned()
            | LedgerStopped()
            | LedgerResumed()
            | DiskStageChanged()
            | SegmentAltered()
        ):
            return _storage(event)
        case ClockStepped():
            return Piece(f"wall clock set {_by(event.step_ns)}", Tone.WARNING)
        case NodeRebooted():
            return Piece(f"the record before is of {event.before_time}", Tone.WARNING)
        case DaemonStarted():
            after = f", took over from pid {event.predecessor_pid}" if event.predecessor_pid else ""
            return Piece(f"nsledger {event.version}, kernel {event.kernel_release}{after}")
        case DaemonStopped():
            return Piece(event.reason)
        case UnknownEvent():
            return Piece(f"not known to this version: {event.reason}", Tone.WARNING)
        case _:
            assert_never(event)


def _storage(
    event: LedgerPruned | LedgerStopped | LedgerResumed | DiskStageChanged | SegmentAltered,
) -> Piece:
    match event:
        case LedgerPruned():
            removed = f"entries {event.from_seq} to {event.through_seq} removed"
            return Piece(f"{removed}, by {event.rule}", Tone.WARNING)
        case LedgerStopped():
            return Piece(f"stopped, {event.reason}: {event.free_bytes} bytes free", Tone.FAILED)
        case LedgerResumed():
            since = f", stopped since {event.stopped_time}" if event.stopped_time else ""
            return Piece(f"resumed, {event.free_bytes} bytes free{since}", Tone.WARNING)
        case DiskStageChanged():
            tone = Tone.PLAIN if event.stage is DiskStage.OK else Tone.WARNING
            return Piece(f"{event.before} to {event.stage}: {event.free_bytes} bytes free", tone)
        case SegmentAltered():
            kept = f", kept as {event.kept_as}" if event.kept_as else ""
            return Piece(f"{event.segment} was {event.alteration}{kept}", Tone.ALARM)
        case _:
            assert_never(event)


def _asked(requested: RequestedNamespaces, screen: Screen) -> str:
    """`POD net ipc, CONTAINER pid`, with the host's sign before NODE."""
    by_mode: dict[str, list[NamespaceType]] = {}
    for type_ in ORDER:
        mode = requested.mode(type_)
        if mode is not None:
            sign = f"{screen.host_sign} " if mode is NamespaceMode.NODE else ""
            by_mode.setdefault(f"{sign}{mode}", []).append(type_)
    return _phrases(*by_mode.items()) or "nothing asked"


def _assigned(assigned: AssignedNamespaces, screen: Screen) -> str:
    """`joins net ipc uts, new pid mnt, ▲ host user`."""
    if not assigned:
        return "the runtime told nothing"
    joins = [type_ for type_ in ORDER if assigned.get(type_, INHERITED) not in {NEW, INHERITED}]
    new = [type_ for type_ in ORDER if assigned.get(type_) == NEW]
    inherited = [type_ for type_ in ORDER if assigned.get(type_) == INHERITED]
    return _phrases(("joins", joins), ("new", new), (f"{screen.host_sign} {HOST}", inherited))


def _got(event: PodAssigned | ContainerStarted, screen: Screen) -> Piece:
    """Mismatches first, then the host's, then the rest."""
    if event.actual is None:
        return Piece(f"unobservable: {event.unobservable or 'no reading'}", Tone.WARNING)
    wrong = [
        f"{type_} {judgement.reason}"
        for type_, judgement in event.judgements.items()
        if judgement.verdict is Verdict.MISMATCH
    ]
    if wrong:
        return Piece(f"{screen.mismatch_sign} {'; '.join(wrong)}", Tone.ALARM)
    unhooked = isinstance(event, ContainerStarted) and not event.witnessed
    text = _sharing(event.judgements, screen) or _read(event.actual)
    if unhooked:
        return Piece(f"not seen by the hook; {text}", Tone.WARNING)
    return Piece(text)


def _sharing(judgements: dict[NamespaceType, Judgement], screen: Screen) -> str:
    """The host's first, unless it is only what every pod has of the host."""
    of_host: list[NamespaceType] = []
    others: dict[str, list[NamespaceType]] = {}
    for type_ in ORDER:
        if type_ in judgements:
            sharing = judgements[type_].sharing
            (of_host if sharing == HOST else others.setdefault(sharing, [])).append(type_)
    phrases = [(f"{screen.host_sign} {HOST}", of_host), *others.items()]
    if HOSTS_BY_DEFAULT.issuperset(of_host):
        phrases.append(phrases.pop(0))
    return _phrases(*phrases)


def _phrases(*phrases: tuple[str, list[NamespaceType]]) -> str:
    return ", ".join(f"{word} {' '.join(types)}" for word, types in phrases if types)


def _witnessed(event: ContainerWitnessed) -> Piece:
    if event.actual is None:
        return Piece("; ".join(event.errors) or "no reading", Tone.WARNING)
    took = f" in {event.hook_duration_ns / 1e6:.1f} ms" if event.hook_duration_ns else ""
    text = f"{_read(event.actual)}{took}, {event.stage}"
    if event.actual.missing or event.errors:
        return Piece("; ".join([text, *event.errors]), Tone.WARNING)
    return Piece(text)


def _read(actual: NamespaceReading) -> str:
    if not actual.pid:
        return f"no process, {len(actual.namespaces)} pinned"
    return f"pid {actual.pid}, {len(actual.namespaces)} of {len(NamespaceType)} read"


def _by(step_ns: int) -> str:
    return f"{'ahead' if step_ns > 0 else 'back'} by {abs(step_ns) / 1e9:.3f} s"


def _status(number: int | None) -> str:
    if number is None:
        return "cut off"
    name = _GRPC_STATUS[number] if 0 <= number < len(_GRPC_STATUS) else "unknown status"
    return f"{name} ({number})"
