"""The three layers of each process of a pod, type by type: `nsledger show -o wide`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType, ReadingSource
from nsledger.render import tables
from nsledger.render.matrix import CHANGED_SIGN, sharing_cell
from nsledger.render.tables import Piece, moment
from nsledger.render.text import Screen, Tone, cite, paint, visible
from nsledger.state.matrix import ORDER, Matrix, Process

_ROOM_FOR_IDS: Final = 100
"""Columns from which on the kernel's 64-bit ids are shown too."""
_VERDICTS: Final = {
    None: ("not judged", Tone.FAINT),
    Verdict.MATCH: ("match", Tone.GOOD),
    Verdict.MISMATCH: ("mismatch", Tone.MISMATCH),
    Verdict.NOT_REQUESTED: ("not requested", Tone.FAINT),
    Verdict.UNOBSERVABLE: ("unobservable", Tone.WARNING),
}


def draw(matrix: Matrix, screen: Screen) -> Iterator[str]:
    """One grid per process, with a line about it before."""
    with_ids = (screen.width is None or screen.width >= _ROOM_FOR_IDS) and any(
        cell.actual is not None and cell.actual.ns_id is not None
        for process in matrix.processes
        for cell in process.namespaces.values()
    )
    titles = ["TYPE", "  SHARING", "REQUESTED", "ASSIGNED", "ACTUAL", "VERDICT"]
    if with_ids:
        titles.insert(5, "ID")
    for at, process in enumerate(matrix.processes):
        if at:
            yield ""
        yield from _heading(process, screen)
        rows = [_row(process, type_, screen) for type_ in ORDER]
        if not with_ids:
            rows = [[*row[:5], row[6]] for row in rows]
        yield from tables.draw(
            titles, rows, screen, flexible=("  SHARING", "REQUESTED", "ASSIGNED")
        )
        for type_ in ORDER:
            cell = process.namespaces[type_]
            if cell.verdict is Verdict.MISMATCH:
                note = visible(f"{screen.mismatch_sign} {type_}: {cell.reason}")
                yield paint(note, Tone.WARNING, color=screen.color)
            if cell.changed:
                note = f"{CHANGED_SIGN} {type_}: changed since it started, {cite(cell.changed)}"
                yield paint(note, Tone.WARNING, color=screen.color)


def _heading(process: Process, screen: Screen) -> Iterator[str]:
    about = [process.id[:13]]
    if process.kind == "container":
        about = [f"container {process.id[:13]}", f"attempt {process.attempt}"]
    if any(cell.source is ReadingSource.PIN for cell in process.namespaces.values()):
        about.append("no process, its namespaces are pinned")
    if process.pid is not None:
        about.append(f"pid {process.pid}")
    if process.since:
        word = "seen since" if process.seen_since else "since"
        about.append(f"{word} {moment(process.since, screen.zone)}")
    if process.until:
        about.append(f"until {moment(process.until, screen.zone)}")
    name = process.name or "?"
    yield paint(visible(name), Tone.STRONG, color=screen.color) + "  " + visible(", ".join(about))
    if process.unobservable:
        yield paint(visible(process.unobservable), Tone.WARNING, color=screen.color)
    if process.evidence:
        yield paint(cite(process.evidence), Tone.FAINT, color=screen.color)


def _row(process: Process, type_: NamespaceType, screen: Screen) -> list[Piece]:
    cell = process.namespaces[type_]
    sharing = sharing_cell(process, type_, screen)
    word, verdict_tone = _VERDICTS[cell.verdict]
    return [
        Piece(type_, Tone.STRONG),
        Piece(f"{sharing.sign} {sharing.word}", sharing.tone),
        Piece(_short(cell.requested), Tone.PLAIN if cell.requested else Tone.FAINT),
        Piece(cell.assigned or "-", Tone.PLAIN if cell.assigned else Tone.FAINT),
        Piece(str(cell.actual.ino) if cell.actual else cell.reason or "-"),
        Piece((cell.actual.ns_id if cell.actual else None) or "-", Tone.FAINT),
        Piece(word, verdict_tone),
    ]


def _short(requested: str | None) -> str:
    """A mode, with as much of a target's id as crictl shows."""
    mode, space, target_id = (requested or "-").partition(" ")
    return mode + space + target_id[:13]
