"""The lines of pods as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from nsledger.model.judgement import POD, Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.render import tables
from nsledger.render.matrix import HOSTS_BY_DEFAULT
from nsledger.render.tables import Piece, moment, zone_name
from nsledger.render.text import Screen, Tone, cite, paint, shorten, visible
from nsledger.state.coverage import Unwatched
from nsledger.state.findings import MISMATCHES, Kind
from nsledger.state.matrix import Matrix
from nsledger.state.pod_summary import PodLine

_ROOM_FOR_TIMES: Final = 100
_EPOCH: Final = "1970-01-01T00:00:00Z"
_TOLD_BESIDE: Final = {Kind.HOST_NAMESPACE, Kind.UNOBSERVABLE, *MISMATCHES.values()}
"""Findings that other columns of the table tell already."""
_VERDICTS: Final = {
    None: Tone.FAINT,
    Verdict.MATCH: Tone.GOOD,
    Verdict.MISMATCH: Tone.ALARM,
    Verdict.NOT_REQUESTED: Tone.FAINT,
    Verdict.UNOBSERVABLE: Tone.WARNING,
}


def draw_pod_table(
    lines: Sequence[PodLine],
    screen: Screen,
    *,
    types: Sequence[NamespaceType] = (),
    wide: bool = False,
    headers: bool = True,
    cgroup_version: int = 0,
) -> Iterator[str]:
    """One line per pod; without `headers` nothing else.

    The host's namespaces that every ordinary pod is in (user, time; on cgroup v1 cgroup) are only
    shown if `types` asks for them, or wide.
    """
    if not lines:
        return
    zone = zone_name(next((line.since for line in lines if line.since), _EPOCH), screen.zone)
    titles = ["POD", "STATE", "CONTAINERS", "HOST'S", "VERDICT"]
    if wide or screen.width is None or screen.width >= _ROOM_FOR_TIMES:
        titles.append(f"SINCE ({zone})")
    has_findings = any(set(line.findings) - _TOLD_BESIDE for line in lines)
    if has_findings:
        titles.insert(titles.index("VERDICT") + 1, "FINDINGS")
    if wide:
        titles += ["SHARED", "SANDBOX ID", "UID", "IP", "HANDLER"]
    usual = HOSTS_BY_DEFAULT | set[NamespaceType](
        [NamespaceType.CGROUP] if cgroup_version == 1 else []
    )
    hidden = set[NamespaceType]() if wide or types else usual
    rows = [_row(line, screen, hidden, has_findings=has_findings)[: len(titles)] for line in lines]
    yield from tables.draw(titles, rows, screen, flexible=("POD",), headers=headers)
    if headers and hidden and any(hidden & set(line.host) for line in lines):
        left_out = (
            "cgroup (v1), user and time" if len(usual) > len(HOSTS_BY_DEFAULT) else "user and time"
        )
        note = f"{left_out} are left out, which are the host's for every ordinary pod: -o wide"
        yield paint(note, Tone.FAINT, color=screen.color)


def _findings(line: PodLine, screen: Screen) -> Piece:
    found = [kind for kind in line.findings if kind not in _TOLD_BESIDE]
    if not found:
        return Piece("-", Tone.FAINT)
    if Kind.SHIM_BYPASSED in found:
        return Piece(f"{screen.host_sign} bypassed", Tone.HOST)
    first, *others = found
    return Piece(f"{first} +{len(others)}" if others else first, Tone.WARNING)


def _row(
    line: PodLine, screen: Screen, hidden: set[NamespaceType], *, has_findings: bool
) -> list[Piece]:
    hosts = [type_ for type_ in line.host if type_ not in hidden]
    loud = set(hosts) - HOSTS_BY_DEFAULT
    word = "not judged" if line.verdict is None else line.verdict.replace("_", " ")
    tone = _VERDICTS[line.verdict]
    if line.verdict is Verdict.MISMATCH:
        word = f"{screen.mismatch_sign} {word}"
    if line.changed:
        word, tone = f"{word}, changed", Tone.ALARM
    living = line.state != "ended"
    shared = [type_ for type_, words in line.sharing.items() if POD in words]
    return [
        Piece(line.pod.full_name or "?", Tone.STRONG if living else Tone.FAINT),
        Piece(line.state, Tone.GOOD if line.state == "running" else Tone.FAINT),
        Piece(str(len(line.containers))),
        Piece(f"{screen.host_sign} {' '.join(hosts)}", Tone.HOST if loud else Tone.FAILED)
        if hosts
        else Piece("-", Tone.FAINT),
        Piece(word, tone),
        *([_findings(line, screen)] if has_findings else []),
        Piece(_since(line, screen)),
        Piece(" ".join(shared) or "-"),
        Piece(line.pod.pod_sandbox_id[:13], Tone.FAINT),
        Piece(line.pod.uid or "-", Tone.FAINT),
        Piece(",".join(line.ips) or "-"),
        Piece(line.pod.runtime_handler or "-"),
    ]


def _since(line: PodLine, screen: Screen) -> str:
    if not line.since:
        return "-"
    return f"{'seen ' if line.seen_since else ''}{moment(line.since, screen.zone)}"


def draw_unwatched(holes: Sequence[Unwatched], screen: Screen) -> Iterator[str]:
    """One line for each hole, and one to say what that means."""
    for hole in holes:
        since, until = moment(hole.since, screen.zone), moment(hole.until, screen.zone)
        said = f"? nobody watched from {since} to {until}: {hole.reason} ({cite(hole.evidence)})"
        yield paint(visible(said), Tone.WARNING, color=screen.color)
    if holes:
        yield paint("  what follows is as it was before", Tone.WARNING, color=screen.color)


_REST_COLUMNS: Final = 48
"""State and since when, behind the name."""
_AT_COLUMNS: Final = 24
_LEAST_NAME: Final = 20


def draw_pod_heading(matrix: Matrix, screen: Screen) -> Iterator[str]:
    """Name and state, then what else it is known by."""
    pod = matrix.pod
    name = visible(pod.full_name or "?")
    if screen.width is not None:
        name = shorten(
            name, max(20, screen.width - (48 if matrix.at is None else 72)), screen.ellipsis
        )
    state, tone = matrix.state, Tone.GOOD if matrix.state == "running" else Tone.FAINT
    if matrix.since:
        seen = "seen since " if matrix.processes[0].seen_since else "since "
        zone = zone_name(matrix.since, screen.zone)
        span = seen + moment(matrix.since, screen.zone)
        if matrix.until:
            span += " until " + moment(matrix.until, screen.zone)
        span += f" {zone}"
    else:
        span = ""
    yield "  ".join(
        part
        for part in (
            paint(name, Tone.STRONG, color=screen.color),
            paint(state, tone, color=screen.color) + _at(matrix, screen),
            span,
        )
        if part
    )
    about = [f"sandbox {pod.pod_sandbox_id[:13]}"]
    if pod.uid:
        about.append(f"uid {pod.uid}")
    if pod.attempt:
        about.append(f"attempt {pod.attempt}")
    if pod.runtime_handler:
        about.append(f"handler {pod.runtime_handler}")
    about += matrix.ips
    if screen.width is None or screen.width > len("  ".join(about)) + 2 + len(matrix.netns_path):
        about.append(matrix.netns_path)
    line = visible("  ".join(part for part in about if part))
    if screen.width is not None:
        line = shorten(line, screen.width, screen.ellipsis)
    yield paint(line, Tone.FAINT, color=screen.color)
    yield from draw_unwatched(matrix.unwatched, screen)


def _at(matrix: Matrix, screen: Screen) -> str:
    """Which moment the state is of, if not the last."""
    return "" if matrix.at is None else f" at {moment(matrix.at, screen.zone)},"
