"""That nobody watched at the moment which is asked about, before what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nsledger.domain.unwatched import Unwatched
from nsledger.report.screen import Screen
from nsledger.report.text import cite, visible
from nsledger.report.tone import Tone, paint
from nsledger.report.when import moment


def draw(holes: Sequence[Unwatched], screen: Screen) -> Iterator[str]:
    """One line for each hole, and one to say what that means."""
    for hole in holes:
        since, until = moment(hole.since, screen.zone), moment(hole.until, screen.zone)
        said = f"? nobody watched from {since} to {until}: {hole.reason} ({cite(hole.evidence)})"
        yield paint(visible(said), Tone.WARNING, color=screen.color)
    if holes:
        yield paint("  what follows is as it was before", Tone.WARNING, color=screen.color)
