"""Columns of text under their titles, as wide as needed and no wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nsledger.report.screen import Screen
from nsledger.report.text import columns, pad, shorten_middle, visible
from nsledger.report.tone import Tone, paint

GAP: Final = 2
_LEAST_COLUMNS: Final = 6
"""A column is not shortened below this: then the line is longer than the screen."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A text in one tone."""

    text: str
    tone: Tone | str = Tone.PLAIN
    """A tone, or the SGR parameter of a group's colour."""


def draw(
    titles: Sequence[str],
    rows: Sequence[Sequence[Piece]],
    screen: Screen,
    *,
    flexible: Sequence[str] = (),
) -> Iterator[str]:
    """The lines of the grid, titles first; `flexible` columns give way where it is too wide."""
    shown = [[visible(piece.text) for piece in row] for row in rows]
    widths = fit(
        [
            max(columns(text) for text in (title, *(row[at] for row in shown)))
            for at, title in enumerate(titles)
        ],
        screen.width,
        [at for at, title in enumerate(titles) if title in flexible],
    )
    yield _line([(title, Tone.FAINT) for title in titles], widths, screen)
    for row, texts in zip(rows, shown, strict=True):
        cells = [(text, piece.tone) for text, piece in zip(texts, row, strict=True)]
        yield _line(cells, widths, screen)


def fit(widths: Sequence[int], limit: int | None, flexible: Sequence[int]) -> list[int]:
    """Widths that fit into `limit` columns with the gaps between, cut from the flexible ones."""
    fitted = list(widths)
    excess = 0 if limit is None else sum(fitted) + GAP * (len(fitted) - 1) - limit
    for _ in range(excess):
        widest = max(flexible, key=lambda at: fitted[at], default=None)
        if widest is None or fitted[widest] <= _LEAST_COLUMNS:
            break
        fitted[widest] -= 1
    return fitted


def _line(cells: Sequence[tuple[str, Tone | str]], widths: Sequence[int], screen: Screen) -> str:
    """One line without spaces at its end."""
    last = max((at for at, (text, _) in enumerate(cells) if text), default=-1)
    drawn: list[str] = []
    for at, (text, tone) in enumerate(cells[: last + 1]):
        short = shorten_middle(text, widths[at], screen.ellipsis)
        spaces = "" if at == last else pad(short, widths[at])[len(short) :]
        drawn.append(paint(short, tone, color=screen.color) + spaces)
    return (" " * GAP).join(drawn)
