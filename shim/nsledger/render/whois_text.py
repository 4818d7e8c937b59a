"""The answer to `whois` for people: one sentence, then the intervals with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from nsledger.model.instants import unix_ns
from nsledger.query.whois import Answer, Outcome
from nsledger.render import tables
from nsledger.render.tables import Piece, moment, zone_name
from nsledger.render.text import Screen, Tone, paint, visible
from nsledger.state.intervals import End, Interval, Life, OwnerKind
from nsledger.state.matrix import ORDER

_SHORT_BOOT_ID: Final = 8


def draw(answer: Answer, screen: Screen) -> Iterator[str]:
    """The lines of the answer."""
    yield _sentence(answer, screen)
    if answer.intervals:
        yield ""
        yield from _table(answer, screen)
    if answer.unwatched:
        yield ""
        yield paint("nobody watched", Tone.WARNING, color=screen.color)
        for hole in answer.unwatched:
            since, until = moment(hole.since, screen.zone), moment(hole.until, screen.zone)
            records = ",".join(map(str, hole.evidence))
            yield visible(f"  {since} to {until}  {hole.reason}  {records}")


def _sentence(answer: Answer, screen: Screen) -> str:
    when = ""
    for word, time in (("at", answer.at), ("since", answer.since), ("until", answer.until)):
        if time is not None:
            when += f" {word} {moment(time, screen.zone)} {zone_name(time, screen.zone)}"
    pods = _pods(answer.intervals)
    match answer.outcome:
        case Outcome.HOST:
            inside = f", with {_count(len(pods), 'pod')} in it" if pods else ""
            said, tone = f"{screen.host_sign} the host's{inside}", Tone.HOST
        case Outcome.ONE_POD:
            alone = _alone(answer.intervals)
            said = pods[0] if alone is None else f"{owner(alone, screen)}, {_pid(alone)}"
            tone = Tone.STRONG
        case Outcome.SEVERAL_PODS:
            said, tone = f"{_count(len(pods), 'pod')} on record", Tone.STRONG
        case Outcome.UNKNOWN:
            said, tone = f"unknown: {answer.reason}", Tone.WARNING
        case _:
            assert_never(answer.outcome)
    return f"{_asked(answer)}{when}: {paint(visible(said), tone, color=screen.color)}"


def _asked(answer: Answer) -> str:
    """What was asked, and in the kernel's spelling if that was a number."""
    asked = visible(answer.asked)
    namespaces = {_namespace(one) for one in answer.intervals}
    if len(namespaces) == 1 and namespaces != {asked}:
        return f"{asked} is {namespaces.pop()}"
    return asked


def _pods(intervals: Sequence[Interval]) -> list[str]:
    """The pods in the intervals by name, each sandbox once, in order."""
    names = {
        one.owner.pod.pod_sandbox_id: one.owner.pod.full_name
        for one in intervals
        if one.owner.kind is not OwnerKind.HOST
    }
    return list(names.values())


def _alone(intervals: Sequence[Interval]) -> Interval | None:
    """One of the intervals, if all are of one process."""
    processes = {(one.boot_id, one.owner, one.pid) for one in intervals}
    return intervals[0] if len(processes) == 1 else None


def _pid(one: Interval) -> str:
    return f"pid {one.pid}" if one.pid else "no process, pinned"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _table(answer: Answer, screen: Screen) -> Iterator[str]:
    intervals = answer.intervals
    live = answer.live or (None,) * len(intervals)
    zone = zone_name(intervals[0].since, screen.zone)
    alone = _alone(intervals) is not None
    titles = {
        "NAMESPACE": len({_namespace(one) for one in intervals}) > 1,
        "OWNER": not alone,
        "PID": not alone,
        f"SINCE ({zone})": True,
        "UNTIL": True,
        "NOW": answer.live is not None,
        "RECORDS": True,
        "BOOT": len({one.boot_id for one in intervals}) > 1,
    }
    rows = [
        [piece for piece, shown in zip(_row(*one, screen), titles.values(), strict=True) if shown]
        for one in sorted(zip(intervals, live, strict=True), key=lambda one: _order(one[0]))
    ]
    shown_titles = [title for title, shown in titles.items() if shown]
    yield from tables.draw(shown_titles, rows, screen, flexible=("OWNER", "RECORDS"))
    notes: list[str] = []
    if any(one.seen_since for one in intervals):
        notes.append("~ first seen then, it may have begun before")
    if any(one.until is None for one in intervals):
        notes.append("- no end on record")
    if notes:
        yield paint("; ".join(notes), Tone.FAINT, color=screen.color)


def _order(one: Interval) -> tuple[int, int, int]:
    """By time; what one process has, in the order of the matrix."""
    return unix_ns(one.since), one.pid, ORDER.index(one.type)


def _row(one: Interval, life: Life | None, screen: Screen) -> list[Piece]:
    tone = Tone.HOST if one.owner.kind is OwnerKind.HOST else Tone.PLAIN
    return [
        Piece(_namespace(one)),
        Piece(owner(one, screen), tone),
        Piece(str(one.pid) if one.pid else "pinned", Tone.PLAIN if one.pid else Tone.FAINT),
        Piece(("~ " if one.seen_since else "") + moment(one.since, screen.zone)),
        Piece(_until(one, screen)),
        Piece(life or "", Tone.PLAIN if life in {None, Life.THERE} else Tone.WARNING),
        Piece(",".join(map(str, one.evidence)), Tone.FAINT),
        Piece(one.boot_id[:_SHORT_BOOT_ID], Tone.FAINT),
    ]


def _namespace(one: Interval) -> str:
    return f"{one.type}:[{one.identity.ino}]"


def owner(one: Interval, screen: Screen) -> str:
    """Who that is: the host, a sandbox or a container, with its pod."""
    pod, container = one.owner.pod, one.owner.container
    match one.owner.kind:
        case OwnerKind.HOST:
            return f"{screen.host_sign} host"
        case OwnerKind.SANDBOX:
            return f"{pod.full_name}{screen.arrow}sandbox"
        case OwnerKind.CONTAINER:
            name = container.name or container.container_id[:13]
            return f"{pod.full_name}{screen.arrow}{name}" if pod.full_name else name
        case _:
            assert_never(one.owner.kind)


def _until(one: Interval, screen: Screen) -> str:
    if one.until is None or one.end is None:
        return "-"
    then = moment(one.until, screen.zone)
    return then if one.end is End.STOPPED else f"{then} {one.end}"
