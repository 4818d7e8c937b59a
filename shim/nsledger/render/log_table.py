"""Records as lines of a table, one at a time: a ledger may be long, or not be finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from nsledger.model.events import (
    CallFailed,
    ContainerEvent,
    DaemonEvent,
    Event,
    LedgerEvent,
    NamespaceChanged,
    PodEvent,
    UnknownEvent,
    event_name,
)
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.render.event_summary import summary
from nsledger.render.tables import GAP, Piece, date_and_clock, zone_name
from nsledger.render.text import Screen, Tone, columns, pad, paint, shorten, shorten_middle, visible

_LEAST_OF_POD: Final = 5


def subject(event: Event | UnknownEvent) -> tuple[PodRef | None, ContainerRef | None]:
    """The pod and the container that `event` names; None where it is about none."""
    match event:
        case PodEvent():
            return event.pod, None
        case ContainerEvent() | NamespaceChanged():
            return event.pod, event.container
        case CallFailed():
            return event.pod, event.container if event.container != ContainerRef() else None
        case LedgerEvent() | DaemonEvent() | UnknownEvent():
            return None, None
        case _:
            assert_never(event)


def subject_text(event: Event | UnknownEvent, screen: Screen, width: int | None) -> str:
    """`default/web > app` in at most `width` columns; empty if it is about no pod.

    Where it is too long the pod's name gives way, since the lines before tell it too.
    """
    pod, container = subject(event)
    if pod is None:
        return ""
    of_pod = visible(pod.full_name)
    of_container = ""
    if container is not None:
        of_container = visible(container.name or container.container_id[:13])
        if container.attempt:
            of_container += f"#{container.attempt}"
    if of_pod and of_container:
        of_container = screen.arrow + of_container
    if width is not None:
        of_container = shorten(of_container, width - _LEAST_OF_POD, screen.ellipsis)
        of_pod = shorten_middle(of_pod, width - columns(of_container), screen.ellipsis)
    return of_pod + of_container


_CLOCK_COLUMNS: Final = len("00:03:50.123")
_SHORT_CLOCK_COLUMNS: Final = len("00:03:50")
_NARROW: Final = 100
"""Columns below which the clock shows no fractions."""
_MOMENT_COLUMNS: Final = len("2026-11-24 00:03:50.123")
_EXACT_COLUMNS: Final = len("2026-11-24T00:03:50.123456789Z")
_EVENT_COLUMNS: Final = len("container.requested")
_SOURCE_COLUMNS: Final = len("cri_proxy")
_SEQ_COLUMNS: Final = 8
_ID_COLUMNS: Final = 13
"""As much of an id as crictl shows."""
_SUBJECT_COLUMNS: Final = 38
"""Enough for most names; where lines may be as long as they are, longer ones push the rest."""
_SUBJECT_SHARE: Final = 0.45
"""On a terminal: of what is left on a line for the pod and the summary."""
_TONES: Final = {
    "requested": Tone.ASKED,
    "assigned": Tone.ASSIGNED,
    "witnessed": Tone.SEEN,
    "started": Tone.GOOD,
    "stopped": Tone.FAINT,
    "removed": Tone.FAINT,
    "failed": Tone.FAILED,
    "gap": Tone.FAILED,
    "recovered": Tone.WARNING,
    "stepped": Tone.WARNING,
    "rebooted": Tone.WARNING,
}
"""By the last word of an event's name."""


class LogTable:
    """Time, event, pod and container, summary.

    On a terminal each line has one row, and a date stands on a line of its own; elsewhere lines are
    as long as they are and each has its date, for grep. Wide adds all that a record is found by.
    """

    def __init__(self, screen: Screen, *, wide: bool = False) -> None:
        self._screen = screen
        self._wide = wide
        self._limit = None if wide else screen.width
        self._date = ""
        self._clock_columns = _CLOCK_COLUMNS
        self._subject_columns = _SUBJECT_COLUMNS
        if self._limit is not None:
            if self._limit < _NARROW:
                self._clock_columns = _SHORT_CLOCK_COLUMNS
            left = self._limit - self._clock_columns - _EVENT_COLUMNS - 3 * GAP
            self._subject_columns = min(_SUBJECT_COLUMNS, max(12, int(left * _SUBJECT_SHARE)))

    def lines(self, record: Record) -> Iterator[str]:
        """What `record` adds to the table: first the titles, and each new date."""
        screen = self._screen
        today, clock = date_and_clock(record.time, screen.zone)
        if not self._date:
            yield paint(self._titles(record.time), Tone.FAINT, color=screen.color)
        if today != self._date and self._limit is not None:
            heading = f"{today} {zone_name(record.time, screen.zone)}"
            yield paint(heading, Tone.STRONG, color=screen.color)
        self._date = today
        time = clock[: self._clock_columns] if self._limit is not None else f"{today} {clock}"
        yield self._line(self._cells(record, time))

    def _titles(self, time: str) -> str:
        when = "TIME" if self._limit is not None else f"TIME ({zone_name(time, self._screen.zone)})"
        who = f"POD{self._screen.arrow}CONTAINER"
        if not self._wide:
            width = self._clock_columns if self._limit is not None else _MOMENT_COLUMNS
            row = [(when, width), ("EVENT", _EVENT_COLUMNS), (who, self._subject_columns)]
        else:
            row = [
                ("SEQ", _SEQ_COLUMNS),
                ("TIME", _EXACT_COLUMNS),
                ("EVENT", _EVENT_COLUMNS),
                ("SOURCE", _SOURCE_COLUMNS),
                ("SANDBOX ID", _ID_COLUMNS),
                ("CONTAINER ID", _ID_COLUMNS),
                (who, self._subject_columns),
            ]
        return (" " * GAP).join([*(pad(title, width) for title, width in row), "SUMMARY"])

    def _cells(self, record: Record, time: str) -> list[tuple[Piece, int]]:
        """Each cell with the width of its column; the last one has what is left."""
        name = event_name(record.event)
        event = Piece(name, _TONES.get(name.rpartition(".")[2], Tone.PLAIN))
        room = None if self._limit is None else self._subject_columns
        about = Piece(subject_text(record.event, self._screen, room))
        gist = summary(record.event, self._screen), 0
        if not self._wide:
            return [
                (Piece(time, Tone.FAINT), len(time)),
                (event, _EVENT_COLUMNS),
                (about, self._subject_columns),
                gist,
            ]
        pod, container = subject(record.event)
        return [
            (Piece(str(record.seq), Tone.FAINT), _SEQ_COLUMNS),
            (Piece(record.time, Tone.FAINT), _EXACT_COLUMNS),
            (event, _EVENT_COLUMNS),
            (Piece(record.event.source), _SOURCE_COLUMNS),
            (Piece((pod.pod_sandbox_id if pod else "")[:_ID_COLUMNS]), _ID_COLUMNS),
            (Piece((container.container_id if container else "")[:_ID_COLUMNS]), _ID_COLUMNS),
            (about, self._subject_columns),
            gist,
        ]

    def _line(self, cells: Sequence[tuple[Piece, int]]) -> str:
        drawn: list[str] = []
        used = 0
        for piece, width in cells[:-1]:
            text = visible(piece.text)
            if self._limit is not None:
                text = shorten_middle(text, width, self._screen.ellipsis)
            spaces = " " * (width - columns(text))
            drawn.append(paint(text, piece.tone, color=self._screen.color) + spaces)
            used += width + GAP
        gist, _ = cells[-1]
        text = visible(gist.text)
        if self._limit is not None:
            text = shorten(text, max(1, self._limit - used), self._screen.ellipsis)
        drawn.append(paint(text, gist.tone, color=self._screen.color))
        return (" " * GAP).join(drawn).rstrip()
