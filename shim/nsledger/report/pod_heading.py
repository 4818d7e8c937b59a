"""Which pod it is, in two lines above its matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nsledger.domain.matrix import Matrix
from nsledger.report import unwatched_text
from nsledger.report.screen import Screen
from nsledger.report.text import shorten, visible
from nsledger.report.tone import Tone, paint
from nsledger.report.when import moment, zone_name

_REST_COLUMNS: Final = 48
"""State and since when, behind the name."""
_AT_COLUMNS: Final = 24
_LEAST_NAME: Final = 20


def draw(matrix: Matrix, screen: Screen) -> Iterator[str]:
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
    yield from unwatched_text.draw(matrix.unwatched, screen)


def _at(matrix: Matrix, screen: Screen) -> str:
    """Which moment the state is of, if not the last."""
    return "" if matrix.at is None else f" at {moment(matrix.at, screen.zone)},"
