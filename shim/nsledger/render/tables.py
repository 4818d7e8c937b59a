"""Columns of text under their titles, as wide as needed and no wider than the screen."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from nsledger.model.instants import unix_ns
from nsledger.render.text import Screen, Tone, columns, pad, paint, shorten_middle, visible

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
    headers: bool = True,
) -> Iterator[str]:
    """The table's lines, titles first; `flexible` columns give way where it is too wide."""
    shown = [[visible(piece.text) for piece in row] for row in rows]
    widths = fit(
        [
            max(columns(text) for text in (title if headers else "", *(row[at] for row in shown)))
            for at, title in enumerate(titles)
        ],
        screen.width,
        [at for at, title in enumerate(titles) if title in flexible],
    )
    if headers:
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


# Moments for people: in one zone, to the millisecond at most.
#
# A zone of None is the local one, with summer time as it was at that moment.

_NS_PER_S = 1_000_000_000


def date_and_clock(time: str, zone: tzinfo | None) -> tuple[str, str]:
    """`2026-11-24` and `00:03:50.123` of an RFC 3339 time, in `zone`."""
    seconds, fraction = divmod(unix_ns(time), _NS_PER_S)
    date, _, clock = _in_zone(seconds, zone).partition(" ")
    return date, f"{clock}.{fraction // 1_000_000:03d}"


def moment(time: str, zone: tzinfo | None) -> str:
    """`2026-11-24 00:03:50` of an RFC 3339 time, in `zone`."""
    return _in_zone(unix_ns(time) // _NS_PER_S, zone)


def zone_name(time: str, zone: tzinfo | None) -> str:
    """What the zone was called at `time`: `UTC`, `CET`, `CEST`."""
    return _then(unix_ns(time) // _NS_PER_S, zone).tzname() or "local time"


@functools.lru_cache(maxsize=8)
def _in_zone(seconds: int, zone: tzinfo | None) -> str:
    return _then(seconds, zone).strftime("%Y-%m-%d %H:%M:%S")


def _then(seconds: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone)
