"""How the ledger of a node is, as values: what `nsledger status` says in every form."""

from __future__ import annotations

import msgspec

from nsledger.domain.events import DiskStage


class RunningDaemon(msgspec.Struct, frozen=True):
    """The process that writes the ledger."""

    pid: int
    since: str | None
    """RFC 3339: when it started."""


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

    @property
    def worries(self) -> list[str]:
        """What someone should look at; empty if nothing."""
        worries: list[str] = []
        if self.storage.stopped:
            worries.append("nothing is written: the disk was full")
        if self.storage.disk_stage in {DiskStage.PRUNE, DiskStage.STOP}:
            worries.append("the disk is nearly full")
        if self.gaps:
            worries.append("something is missing")
        if self.spool is not None and self.spool.quarantined:
            worries.append("files were moved aside in the spool")
        return worries
