"""The matrix of a pod for a terminal: two lines per process, one column per type.

Eight columns need about 110 characters; on a narrower screen they come in two bands of four.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nsledger.model.judgement import HOST, POD, PRIVATE, UNKNOWN, Verdict
from nsledger.model.namespaces import NamespaceType, ReadingSource
from nsledger.render.tables import GAP, Piece
from nsledger.render.text import (
    GROUPS,
    Screen,
    Tone,
    cite,
    columns,
    pad,
    paint,
    shorten,
    shorten_middle,
    visible,
)
from nsledger.state.matrix import NOBODYS, ORDER, Matrix, Process

HOSTS_BY_DEFAULT: Final = {NamespaceType.USER, NamespaceType.TIME}
"""Every ordinary pod is in the host's: red as well, but not as loud as what a pod asked for."""


@dataclass(frozen=True, slots=True)
class SharingCell:
    """One cell, ready to be painted."""

    sign: str
    """The host's sign, the group's letter, or a space: one column, so that words line up."""
    word: str
    tone: Tone | str


def sharing_cell(process: Process, type_: NamespaceType, screen: Screen) -> SharingCell:
    """The cell of `process` for `type_`.

    Two words differ from the record's: what a sandbox has and no container joined is its `own`, and
    what was `private` when it started and is no more is `shared`.
    """
    cell = process.namespaces[type_]
    if cell.sharing == HOST:
        loud = type_ not in HOSTS_BY_DEFAULT
        return SharingCell(screen.host_sign, HOST, Tone.HOST if loud else Tone.FAILED)
    if cell.group:
        word = "shared" if cell.sharing == PRIVATE else cell.sharing
        return SharingCell(cell.group, word, group_color(cell.group))
    if cell.sharing == UNKNOWN:
        return SharingCell(" ", "?", Tone.WARNING)
    unjoined = process.kind == "sandbox" and cell.sharing == POD
    return SharingCell(" ", "own" if unjoined else cell.sharing, Tone.FAINT)


def group_color(group: str) -> str:
    """The SGR parameter of a group's colour."""
    return GROUPS[(ord(group[0]) - ord("A")) % len(GROUPS)]


_WIDEST_CELL: Final = 20
_WIDEST_NAME: Final = 28
_LEAST_NAME: Final = 12
_DEFAULT_WIDTH: Final = 120
_BANDS: Final = (8, 4, 2)
CHANGED_SIGN: Final = "*"


def draw(matrix: Matrix, screen: Screen) -> Iterator[str]:
    """The lines of the matrix, a legend of the signs in it, and why layers disagree."""
    names = [_name(process) for process in matrix.processes]
    widths = {type_: _width(matrix, type_, screen) for type_ in ORDER}
    limit = screen.width or _DEFAULT_WIDTH
    abouts = [_about(process) for process in matrix.processes]
    name_width = min(_WIDEST_NAME, max(columns(visible(text)) for text in (*names, *abouts)))
    per_band, name_width = _layout(widths, name_width, limit)
    for first in range(0, len(ORDER), per_band):
        if first:
            yield ""
        types = ORDER[first : first + per_band]
        yield from _band(matrix, types, widths, name_width, screen)
    below = [*_legend(matrix, screen), *_notes(matrix, screen)]
    if below:
        yield ""
        yield from below


def _layout(widths: dict[NamespaceType, int], name: int, limit: int) -> tuple[int, int]:
    """How many types stand side by side, and how wide the names may be."""
    for count in _BANDS:
        widest = max(
            sum(widths[type_] + GAP for type_ in ORDER[first : first + count])
            for first in range(0, len(ORDER), count)
        )
        room = limit - widest
        if room >= min(name, _LEAST_NAME):
            return count, min(name, room)
    return _BANDS[-1], min(name, _LEAST_NAME)


def _band(
    matrix: Matrix,
    types: Sequence[NamespaceType],
    widths: dict[NamespaceType, int],
    name_width: int,
    screen: Screen,
) -> Iterator[str]:
    title = pad("", name_width)
    yield (
        title
        + "".join(" " * GAP + _fitted(type_, Tone.STRONG, widths[type_], screen) for type_ in types)
    ).rstrip()
    for at, process in enumerate(matrix.processes):
        if at:
            yield ""
        for line in (0, 1):
            text = (_name(process), _about(process))[line]
            tone = (Tone.STRONG, Tone.FAINT)[line]
            drawn = [_fitted(text, tone, name_width, screen, middle=line == 0)]
            for type_ in types:
                piece = _pieces(process, type_, screen)[line]
                drawn.append(_fitted(piece.text, piece.tone, widths[type_], screen))
            yield (" " * GAP).join(drawn).rstrip()


def _fitted(
    text: str, tone: Tone | str, width: int, screen: Screen, *, middle: bool = False
) -> str:
    short = (shorten_middle if middle else shorten)(visible(text), width, screen.ellipsis)
    return paint(short, tone, color=screen.color) + pad(short, width)[len(short) :]


def _width(matrix: Matrix, type_: NamespaceType, screen: Screen) -> int:
    pieces = [piece for process in matrix.processes for piece in _pieces(process, type_, screen)]
    widest = max(columns(visible(piece.text)) for piece in pieces)
    return min(_WIDEST_CELL, max(widest, len(type_)))


def _name(process: Process) -> str:
    """Its name, with the number of the restart that it is."""
    name = process.name or process.id[:13] or "?"
    return f"{name} #{process.attempt}" if process.attempt and process.kind == "container" else name


def _about(process: Process) -> str:
    if process.state != "running":
        return process.state
    if process.pid is not None:
        return f"pid {process.pid}"
    pinned = any(cell.source is ReadingSource.PIN for cell in process.namespaces.values())
    return "pinned" if pinned else "no pid"


def _pieces(process: Process, type_: NamespaceType, screen: Screen) -> tuple[Piece, Piece]:
    """Sharing, and the inode under it."""
    cell = process.namespaces[type_]
    drawn = sharing_cell(process, type_, screen)
    inode = Piece(str(cell.actual.ino) if cell.actual is not None else "", drawn.tone)
    text = f"{drawn.sign} {drawn.word}".lstrip()
    if cell.verdict is Verdict.MISMATCH:
        return Piece(f"{screen.mismatch_sign} {text}", Tone.MISMATCH), inode
    if cell.changed:
        return Piece(f"{CHANGED_SIGN} {text}", Tone.MISMATCH), inode
    return Piece(text, drawn.tone), inode


def _legend(matrix: Matrix, screen: Screen) -> Iterator[str]:
    """The signs that are in the matrix, on one line."""
    cells = [cell for process in matrix.processes for cell in process.namespaces.values()]
    parts: list[str] = []
    if any(cell.sharing == HOST for cell in cells):
        sign = paint(screen.host_sign, Tone.HOST, color=screen.color)
        parts.append(f"{sign} the host's")
    letters = sorted({cell.group for cell in cells if cell.group}, key=lambda one: (len(one), one))
    if letters:
        painted = " ".join(paint(one, group_color(one), color=screen.color) for one in letters)
        parts.append(f"{painted} same letter, same namespace")
    if any(cell.verdict is Verdict.MISMATCH for cell in cells):
        sign = paint(screen.mismatch_sign, Tone.MISMATCH, color=screen.color)
        parts.append(f"{sign} layers disagree")
    if any(cell.changed for cell in cells):
        sign = paint(CHANGED_SIGN, Tone.MISMATCH, color=screen.color)
        parts.append(f"{sign} changed since it started")
    if parts:
        yield "   ".join(parts)


def _notes(matrix: Matrix, screen: Screen) -> Iterator[str]:
    """What a sign cannot say."""
    for process, type_, cell in matrix.mismatches():
        note = f"{screen.mismatch_sign} {_name(process)} {type_}: {cell.reason}"
        yield paint(visible(note), Tone.WARNING, color=screen.color)
    for process, type_, cell in matrix.changes():
        note = f"{CHANGED_SIGN} {_name(process)} {type_}: changed, {cite(cell.changed)}"
        yield paint(visible(note), Tone.WARNING, color=screen.color)
    for process in matrix.processes:
        if process.unobservable:
            yield visible(f"? {_name(process)}: {process.unobservable}")
            continue
        for type_ in ORDER:
            cell = process.namespaces[type_]
            if cell.sharing == UNKNOWN and cell.reason not in {"", NOBODYS}:
                yield visible(f"? {_name(process)} {type_}: {cell.reason}")
    if matrix.earlier_attempts:
        count = matrix.earlier_attempts
        yield f"{count} earlier {'attempt' if count == 1 else 'attempts'} not shown (--all)"
