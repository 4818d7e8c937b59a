"""What `nsledger orphans` shows: each namespace, what keeps it, and whose it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.render import tables
from nsledger.render.tables import Piece, moment, zone_name
from nsledger.render.text import Screen, Tone, counted, paint
from nsledger.render.whois_text import owner
from nsledger.state.intervals import Interval


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace without a process, and the last one on record that had it."""

    type: NamespaceType
    identity: NamespaceIdentity
    held_by: tuple[str, ...]
    """Mount points, and descriptors as /proc/PID/fd/N."""
    last_owner: Interval | None
    """None: no record of it."""
    by_id: bool
    """Whether the kernel's id says so. Without one it is the last owner of that inode, which may
    have been given again to somebody whom nobody recorded."""
    orphaned_s: float | None
    """Since the record of its owner's end, in seconds; None where there is none."""


class OrphansReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that were found on this node."""

    orphans: tuple[Orphan, ...]
    unreadable_processes: int
    """Processes that may not be looked at: there may be more."""


def draw(report: OrphansReport, screen: Screen) -> Iterator[str]:
    """The lines of the report."""
    if report.orphans:
        yield from _table(report.orphans, screen)
    else:
        yield "no namespace is kept alive without a process in it"
    if any(one.last_owner is not None and not one.by_id for one in report.orphans):
        note = "~ by the inode alone, which may have been given again since"
        yield paint(note, Tone.FAINT, color=screen.color)
    if report.unreadable_processes:
        yield paint(
            f"{counted(report.unreadable_processes, 'process', 'processes')} could not be looked "
            "at: there may be more",
            Tone.WARNING,
            color=screen.color,
        )


def _table(orphans: Sequence[Orphan], screen: Screen) -> Iterator[str]:
    ended = [one.last_owner.until for one in orphans if one.last_owner and one.last_owner.until]
    zone = zone_name(ended[0], screen.zone) if ended else "time"
    rows = [
        [
            Piece(f"{one.type}:[{one.identity.ino}]"),
            Piece(", ".join(one.held_by)),
            *_last(one, screen),
        ]
        for one in orphans
    ]
    titles = ["NAMESPACE", "HELD BY", "LAST OWNER", f"UNTIL ({zone})", "FOR", "RECORDS"]
    yield from tables.draw(titles, rows, screen, flexible=("HELD BY", "LAST OWNER"))


def _last(one: Orphan, screen: Screen) -> list[Piece]:
    last = one.last_owner
    if last is None:
        return [Piece("unknown: no record", Tone.WARNING), Piece("-"), Piece("-"), Piece("")]
    until = "-" if last.until is None else moment(last.until, screen.zone)
    return [
        Piece(("" if one.by_id else "~ ") + owner(last, screen)),
        Piece(until),
        Piece("-" if one.orphaned_s is None else span(one.orphaned_s)),
        Piece(",".join(map(str, last.evidence)), Tone.FAINT),
    ]


def span(seconds: float) -> str:
    """`3d4h`, `4h12m`, `12m5s` or `5s`."""
    left = max(0, int(seconds))
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3_600)
    minutes, left = divmod(left, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (left, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return "".join(f"{number}{unit}" for number, unit in parts[:2])
