"""The picture as SVG: each pod as `nsledger show` has it, a row per process, a column per type.

Cells of one letter are one namespace and grow together where they are neighbours. It is static, has
no script and asks for nothing; it is dark where the reader's screen is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from nsledger.model.judgement import CONTAINER_PREFIX, HOST, UNKNOWN, Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.query.sharing_graph import SharingGraph
from nsledger.render.matrix import CHANGED_SIGN, sharing_cell
from nsledger.render.mermaid import pod_name, process_name
from nsledger.render.text import Screen, shorten_middle, visible
from nsledger.state.matrix import ORDER, Matrix

_SCREEN: Final = Screen(unicode=True)
_MARGIN: Final = 16
_NAMES: Final = 150
_COLUMN: Final = 72
_ROW: Final = 26
_TITLE: Final = 28
_TYPES: Final = 22
_BETWEEN: Final = 22
_NAME_COLUMNS: Final = 20
_WORD_COLUMNS: Final = 8
_HUES: Final = 6

_STYLE: Final = """\
text { font: 12px system-ui, "Noto Sans", "DejaVu Sans", sans-serif; fill: #1d2024; }
.ground { fill: #ffffff; }
.pod { font-weight: 600; font-size: 14px; }
.soft { fill: #5a6068; }
.mid { text-anchor: middle; }
.g0 { fill: #dce8f9; } .t0 { fill: #1a3f78; }
.g1 { fill: #d5efe8; } .t1 { fill: #0d5144; }
.g2 { fill: #e8e1f8; } .t2 { fill: #482f82; }
.g3 { fill: #e8eed2; } .t3 { fill: #434f17; }
.g4 { fill: #f3e7ce; } .t4 { fill: #63460e; }
.g5 { fill: #dfe5eb; } .t5 { fill: #33414e; }
.host { fill: #fdebe6; stroke: #e9a898; }
.warn { fill: #a92a14; font-weight: 600; }
.usual { fill: #a92a14; }
.bad { fill: #a92a14; }
.onbad { fill: #ffffff; font-weight: 600; }
@media (prefers-color-scheme: dark) {
text { fill: #e7e8ea; }
.ground { fill: #1c1f24; }
.soft { fill: #a2a9b2; }
.g0 { fill: #213a5c; } .t0 { fill: #bdd6fb; }
.g1 { fill: #17443b; } .t1 { fill: #a6e4d5; }
.g2 { fill: #382b59; } .t2 { fill: #d4c6f8; }
.g3 { fill: #3b431d; } .t3 { fill: #dbe4a9; }
.g4 { fill: #49391a; } .t4 { fill: #f0d69c; }
.g5 { fill: #343f4a; } .t5 { fill: #cfdae5; }
.host { fill: #3b1f18; stroke: #8a4333; }
.warn, .usual { fill: #ff9880; }
.bad { fill: #ff9880; }
.onbad { fill: #1d0d08; }
}
"""


def draw(picture: SharingGraph, types: Sequence[NamespaceType] = ()) -> str:
    """The picture; of `types` only, if there are any."""
    shown = types or ORDER
    width = 2 * _MARGIN + _NAMES + _COLUMN * len(shown)
    drawn: list[str] = []
    top = _MARGIN
    for pod, matrix in enumerate(picture.pods):
        drawn += _pod(picture, pod, shown, top)
        top += _TITLE + _TYPES + _ROW * len(matrix.processes) + _BETWEEN
    height = top + 12
    drawn.append(_text(_MARGIN, top, _legend(), "soft"))
    body = "".join(f"{line}\n" for line in drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">\n'
        f'<title id="title">Who shares which namespaces</title>\n'
        f'<desc id="desc">{_described(picture)}</desc>\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="ground" width="{width}" height="{height}"/>\n{body}</svg>\n'
    )


def _legend() -> str:
    return "▲ the node's own · A B C same letter, same namespace · ≠ layers disagree"


def _described(picture: SharingGraph) -> str:
    return escape(
        "; ".join(
            f"{pod_name(picture, pod)}: {', '.join(process_name(one) for one in matrix.processes)}"
            for pod, matrix in enumerate(picture.pods)
        )
    )


def _pod(
    picture: SharingGraph, pod: int, types: Sequence[NamespaceType], top: int
) -> Iterator[str]:
    matrix = picture.pods[pod]
    yield _text(_MARGIN, top + 14, pod_name(picture, pod), "pod")
    head = top + _TITLE + 12
    for column, type_ in enumerate(types):
        yield _text(_middle(column), head, type_, "soft mid")
    for row, process in enumerate(matrix.processes):
        base = top + _TITLE + _TYPES + _ROW * row
        tone = "soft" if process.kind == "sandbox" or process.state == "ended" else ""
        name = shorten_middle(process_name(process), _NAME_COLUMNS)
        yield _text(_MARGIN, base + 17, name, tone)
        for column, type_ in enumerate(types):
            yield from _cell(matrix, row, type_, column, base, usual=type_ in picture.usual)


def _cell(
    matrix: Matrix, row: int, type_: NamespaceType, column: int, base: int, *, usual: bool
) -> Iterator[str]:
    process = matrix.processes[row]
    cell, said = process.namespaces[type_], sharing_cell(process, type_, _SCREEN)
    word = said.word.removeprefix(CONTAINER_PREFIX)
    text = f"{said.sign.strip()} {shorten_middle(visible(word), _WORD_COLUMNS)}".strip()
    left = _MARGIN + _NAMES + _COLUMN * column + 2
    middle = _middle(column), base + 17
    about = f"{type_}:[{cell.actual.ino}]" if cell.actual else ""
    if cell.verdict is Verdict.MISMATCH or cell.changed:
        sign = _SCREEN.mismatch_sign if cell.verdict is Verdict.MISMATCH else CHANGED_SIGN
        yield _rect(left, base + 2, _ROW - 4, "bad", about)
        yield _text(*middle, f"{sign} {text}", "onbad mid")
    elif cell.sharing == HOST:
        if not usual:
            yield _rect(left, base + 2, _ROW - 4, "host", about)
        yield _text(*middle, text, "usual mid" if usual else "warn mid")
    elif cell.group:
        hue = (ord(cell.group[0]) - ord("A")) % _HUES
        up, down = (_is_next(matrix, row, type_, step) for step in (-1, 1))
        top = base if up else base + 2
        yield _rect(left, top, base + (_ROW if down else _ROW - 2) - top, f"g{hue}", about)
        if up or down:  # the corners between two cells are square
            start = top if up else top + 6
            stop = base + _ROW if down else base + _ROW - 8
            shape = f'x="{left}" y="{start}" width="{_COLUMN - 4}" height="{stop - start}"'
            yield f'<rect class="g{hue}" {shape}/>'
        yield _text(*middle, text, f"t{hue} mid")
    else:
        yield _text(*middle, "?" if cell.sharing == UNKNOWN else text, "soft mid")


def _is_next(matrix: Matrix, row: int, type_: NamespaceType, step: int) -> bool:
    """Whether the neighbour is in the same namespace, and drawn as that."""
    if not 0 <= row + step < len(matrix.processes):
        return False
    mine = matrix.processes[row].namespaces[type_]
    other = matrix.processes[row + step].namespaces[type_]
    is_plain = other.verdict is not Verdict.MISMATCH and not other.changed
    return mine.group == other.group and is_plain


def _middle(column: int) -> int:
    return _MARGIN + _NAMES + _COLUMN * column + _COLUMN // 2


def _rect(left: int, top: int, height: int, name: str, about: str) -> str:
    title = f"<title>{escape(about)}</title>" if about else ""
    shape = f'x="{left}" y="{top}" width="{_COLUMN - 4}" height="{height}" rx="5"'
    return f'<rect class="{name}" {shape}>{title}</rect>'


def _text(left: int, base: int, text: str, name: str) -> str:
    return f'<text class="{name}" x="{left}" y="{base}">{escape(text)}</text>'
