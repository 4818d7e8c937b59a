"""How the ledger of a node is, as values: what `nsledger status` says in every form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from nsledger.model.events import DiskStage
from nsledger.render.tables import moment
from nsledger.render.text import Screen, Tone, counted, paint, visible


class RunningDaemon(msgspec.Struct, frozen=True):
    """The process that writes the ledger."""

    pid: int
    since: str | None
    """RFC 3339: when it started."""
    unanswered: str | None = None
    """Why its socket gave no answer of the runtime within a second; empty if it did, and None where
    nobody asked: the ledger is not that of the configuration."""


class RecordSpan(msgspec.Struct, frozen=True):
    """What is on record."""

    count: int
    first_seq: int
    last_seq: int
    first_time: str
    last_time: str


class Storage(msgspec.Struct, frozen=True):
    """What the ledger takes of its disk, and what is left."""

    segments: int
    compressed: int
    size_bytes: int
    disk_stage: DiskStage
    disk_free_bytes: int
    stopped: bool
    """Whether the last record says that nothing is written, since the disk is full."""


class RemovedByRule(msgspec.Struct, frozen=True):
    """The newest removal of segments."""

    through_seq: int
    time: str
    rule: str


class GapSum(msgspec.Struct, frozen=True):
    """What is missing for one reason."""

    reason: str
    gaps: int
    count: int | None
    """None where one of them is of unknown size."""


class SpoolCount(msgspec.Struct, frozen=True):
    """Files in the spool directory."""

    waiting: int
    quarantined: dict[str, int]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    ledger: str
    ledger_id: str | None
    daemon: RunningDaemon | None
    records: RecordSpan | None
    """None as long as there are none."""
    storage: Storage
    pruned: RemovedByRule | None
    gaps_since: str
    """RFC 3339: `gaps` are those recorded since then."""
    gaps: tuple[GapSum, ...]
    spool: SpoolCount | None
    """None where there is no spool directory."""
    damage: str = ""
    """The first entry that is not what was written, and how, where one was met."""

    @property
    def worries(self) -> list[str]:
        """What someone should look at; empty if nothing."""
        worries: list[str] = []
        if self.daemon is not None and self.daemon.unanswered:
            worries.append("the daemon does not relay")
        if self.damage:
            worries.append("the ledger is damaged")
        if self.storage.stopped:
            worries.append("nothing is written: the disk was full")
        if self.storage.disk_stage in {DiskStage.PRUNE, DiskStage.STOP}:
            worries.append("the disk is nearly full")
        if self.gaps:
            worries.append("something is missing")
        if self.spool is not None and self.spool.quarantined:
            worries.append("files were moved aside in the spool")
        return worries


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
        f"  size     {size(storage.size_bytes)} in {counted(storage.segments, 'segment')}, "
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
    unanswered = status.daemon.unanswered
    answers = {None: "", "": ", relays"}.get(unanswered, f", does not relay: {unanswered}")
    return f"pid {status.daemon.pid}{since}{visible(answers)}"


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
