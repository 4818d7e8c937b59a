"""Findings for people: a few lines each, or one long line with all of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from nsledger.render import tables
from nsledger.render.tables import Piece, moment, zone_name
from nsledger.render.text import (
    Screen,
    Tone,
    cite,
    columns,
    paint,
    shorten,
    shorten_middle,
    visible,
)
from nsledger.state.acceptance import Acceptance
from nsledger.state.findings import Finding, Severity

_TONES: Final = {
    Severity.HIGH: Tone.HOST,
    Severity.MEDIUM: Tone.WARNING,
    Severity.LOW: Tone.ASKED,
    Severity.INFO: Tone.FAINT,
}
_MARGIN: Final = 8
"""The severity stands alone in these columns."""
_DEFAULT_WIDTH: Final = 120
_LEAST: Final = 20
_LONGEST_NAME: Final = 80


def draw(findings: Sequence[Finding], screen: Screen) -> Iterator[str]:
    """Each finding with what it is about, when, its records; what to do once for each kind."""
    limit = max(60, screen.width or _DEFAULT_WIDTH)
    room = limit - _MARGIN
    for at, one in enumerate(findings):
        if at:
            yield ""
        subject = _subject(one, screen)
        kind = visible(one.kind)
        about = shorten_middle(subject, max(_LEAST, room - columns(kind) - 2), screen.ellipsis)
        severity = paint(one.severity, _TONES[one.severity], color=screen.color)
        head = paint(kind, Tone.STRONG, color=screen.color)
        yield f"{severity}{' ' * (_MARGIN - len(one.severity))}{head}  {about}".rstrip()
        for line in textwrap.wrap(visible(one.summary), room):
            yield " " * _MARGIN + line
        evidence = f"{_when(one, screen)}; {cite(one.records)}"
        for line in textwrap.wrap(evidence, room):
            yield " " * _MARGIN + paint(line, Tone.FAINT, color=screen.color)
    yield from _remedies(findings, screen, limit)


def _remedies(findings: Sequence[Finding], screen: Screen, limit: int) -> Iterator[str]:
    by_kind = {one.kind: one.remedy for one in findings}
    if by_kind:
        yield ""
        yield paint("What to do", Tone.STRONG, color=screen.color)
    for kind, remedy in by_kind.items():
        yield from textwrap.wrap(
            visible(f"{kind}: {remedy}"), limit, initial_indent="  ", subsequent_indent="    "
        )


def draw_wide(findings: Sequence[Finding], screen: Screen) -> Iterator[str]:
    """One line for each finding, with all but the remedy."""
    if not findings:
        return
    zone = zone_name(findings[0].first_time, screen.zone)
    titles = ["SEVERITY", "KIND", "SUBJECT", "TYPES", "COUNT", f"FIRST ({zone})", "LAST"]
    titles += ["ONGOING", "CONTAINER ID", "RECORDS", "FINDING"]
    rows = [
        [
            Piece(one.severity, _TONES[one.severity]),
            Piece(one.kind, Tone.STRONG),
            Piece(_subject(one, screen)),
            Piece(" ".join(one.types) or "-"),
            Piece(str(one.count)),
            Piece(moment(one.first_time, screen.zone)),
            Piece(moment(one.last_time, screen.zone)),
            Piece("yes" if one.ongoing else "no"),
            Piece((one.container.container_id[:13] if one.container else "") or "-"),
            Piece(",".join(map(str, one.records)), Tone.FAINT),
            Piece(one.summary),
        ]
        for one in findings
    ]
    yield from tables.draw(titles, rows, screen, flexible=("SUBJECT", "RECORDS", "FINDING"))


def draw_accepted(accepted: Sequence[tuple[Finding, Acceptance]], screen: Screen) -> Iterator[str]:
    """One line for each finding that somebody accepted, and why."""
    if not accepted:
        return
    yield ""
    yield paint(f"Accepted ({len(accepted)})", Tone.STRONG, color=screen.color)
    for one, rule in accepted:
        types = f" ({' '.join(one.types)})" if one.types else ""
        by = f" by {rule.by}" if rule.by else ""
        line = visible(
            f"  {one.kind}{types}  {_subject(one, screen)}  until "
            f"{moment(rule.until, screen.zone)}{by}: {rule.reason}"
        )
        yield line if screen.width is None else shorten(line, screen.width, screen.ellipsis)


def _subject(one: Finding, screen: Screen) -> str:
    if one.pod is None:
        return "the node"
    pod = shorten(visible(one.pod.full_name) or "?", _LONGEST_NAME, screen.ellipsis)
    if one.container is None:
        return pod
    name = visible(one.container.name or one.container.container_id[:13])
    return pod + screen.arrow + shorten(name, _LONGEST_NAME, screen.ellipsis)


def _when(one: Finding, screen: Screen) -> str:
    first, last = moment(one.first_time, screen.zone), moment(one.last_time, screen.zone)
    zone = zone_name(one.first_time, screen.zone)
    if one.ongoing:
        return f"since {first} {zone}, still so"
    return f"at {first} {zone}" if first == last else f"from {first} to {last} {zone}"
