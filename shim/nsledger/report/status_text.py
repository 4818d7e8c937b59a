"""The status of a ledger for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nsledger.report.screen import Screen
from nsledger.report.status import Status
from nsledger.report.text import visible
from nsledger.report.tone import Tone, paint
from nsledger.report.when import moment

_STEP: Final = 1024
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


def draw(status: Status, screen: Screen) -> Iterator[str]:
    """One line per thing, the verdict first."""
    verdict = paint("good", Tone.GOOD, color=screen.color)
    if status.worries:
        verdict = paint("; ".join(status.worries), Tone.WARNING, color=screen.color)
    yield f"{visible(status.ledger)}: {verdict}"
    yield f"  id       {visible(status.ledger_id or 'unknown')}"
    yield f"  daemon   {_daemon(status, screen)}"
    yield f"  records  {_records(status, screen)}"
    storage = status.storage
    yield (
        f"  size     {size(storage.size_bytes)} in {storage.segments} segments, "
        f"{storage.compressed} of them compressed"
    )
    if status.pruned is not None:
        when = moment(status.pruned.time, screen.zone)
        rule = visible(status.pruned.rule)
        yield f"  pruned   through entry {status.pruned.through_seq} at {when}, by {rule}"
    yield f"  disk     {size(storage.disk_free_bytes)} free: {storage.disk_stage}"
    since = moment(status.gaps_since, screen.zone)
    if not status.gaps:
        yield f"  gaps     none since {since}"
    for gap in status.gaps:
        count = "an unknown number" if gap.count is None else gap.count
        yield f"  gaps     {count} missing since {since}: {visible(gap.reason)} ({gap.gaps} gaps)"
    yield f"  spool    {_spool(status)}"


def size(size_bytes: int) -> str:
    """`1.5 MiB`."""
    amount, unit = float(size_bytes), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{size_bytes} bytes" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def _daemon(status: Status, screen: Screen) -> str:
    if status.daemon is None:
        return "none writes it"
    since = f" since {moment(status.daemon.since, screen.zone)}" if status.daemon.since else ""
    return f"pid {status.daemon.pid}{since}"


def _records(status: Status, screen: Screen) -> str:
    records = status.records
    if records is None:
        return "none"
    first, last = (moment(time, screen.zone) for time in (records.first_time, records.last_time))
    return f"{records.count}: {records.first_seq} at {first} to {records.last_seq} at {last}"


def _spool(status: Status) -> str:
    if status.spool is None:
        return "none"
    aside = ", ".join(
        f"{count} {visible(reason)}" for reason, count in status.spool.quarantined.items()
    )
    return f"{status.spool.waiting} waiting, {aside or 'none'} in quarantine"
