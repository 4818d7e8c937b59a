"""What `nsledger status` does: looks at the ledger, its disk, its lock and the spool."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Final, Literal

from nsledger.cli import exit_codes, storage
from nsledger.cli.answer import write_answer
from nsledger.cli.configuration import DEFAULT_FILE, Configuration, read
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.events import Gap, LedgerStopped
from nsledger.domain.record import Record, decode, rfc3339
from nsledger.ledger import layout, place
from nsledger.ledger.backwards import entries_backwards
from nsledger.ledger.identity import ledger_id
from nsledger.ledger.reader import entries
from nsledger.ledger.room import free_bytes
from nsledger.proc.locks import flock_holder
from nsledger.report import status_text
from nsledger.report.status import (
    GapSum,
    RecordSpan,
    RemovedByRule,
    RunningDaemon,
    SpoolCount,
    Status,
    Storage,
)
from nsledger.spool.census import census

_GAPS_S: Final = 86_400
"""How far back gaps are looked for."""


@reading_a_ledger()
def standing(
    *,
    ledger: str,
    config: str | None,
    output: Literal["text", "json", "yaml"],
    color: ColorChoice,
    utc: bool,
) -> int:
    """Say how the ledger at `ledger` is; the exit status."""
    path = config or (DEFAULT_FILE if Path(DEFAULT_FILE).exists() else None)
    configuration = Configuration(**read(path)) if path is not None else Configuration()
    status = look(ledger, configuration, now_ns=time.time_ns())
    write_answer(status, output, lambda: status_text.draw(status, screen(color=color, utc=utc)))
    return exit_codes.FOUND if status.worries else exit_codes.OK


def look(ledger: str, configuration: Configuration, *, now_ns: int) -> Status:
    """How the ledger at `ledger` is at `now_ns` of Unix time.

    Raises:
        LedgerError: there is none, or it cannot be understood.
        OSError: it cannot be read.
    """
    there = place.find(ledger)
    directory = ledger if os.path.isdir(ledger) else os.path.dirname(ledger) or "."
    holder = flock_holder(os.path.join(directory, layout.LOCK_NAME))
    first = next((decode(entry.line) for entry in entries(ledger)), None)
    last = next((decode(entry.line) for entry in entries_backwards(ledger)), None)
    since = rfc3339(now_ns - _GAPS_S * 10**9)
    free = free_bytes(directory)
    counted = census(configuration.spool)
    return Status(
        ledger=ledger,
        ledger_id=ledger_id(ledger),
        daemon=None
        if holder is None
        else RunningDaemon(
            pid=holder.pid, since=None if holder.since_ns is None else rfc3339(holder.since_ns)
        ),
        records=_span(first, last),
        storage=Storage(
            segments=len(there.segments),
            compressed=sum(path.endswith(layout.COMPRESSED_SUFFIX) for _, path in there.segments),
            size_bytes=there.size_bytes,
            disk_stage=storage.room_limits(configuration).stage(free),
            disk_free_bytes=free,
            stopped=last is not None and isinstance(last.event, LedgerStopped),
        ),
        pruned=None
        if there.pruned is None
        else RemovedByRule(
            through_seq=there.pruned.before.seq, time=there.pruned.time, rule=there.pruned.rule
        ),
        gaps_since=since,
        gaps=_gaps(ledger, since),
        spool=None
        if counted is None
        else SpoolCount(waiting=counted.waiting, quarantined=counted.quarantined),
    )


def _span(first: Record | None, last: Record | None) -> RecordSpan | None:
    if first is None or last is None:
        return None
    return RecordSpan(
        count=last.seq - first.seq + 1,
        first_seq=first.seq,
        last_seq=last.seq,
        first_time=first.time,
        last_time=last.time,
    )


def _gaps(ledger: str, since: str) -> tuple[GapSum, ...]:
    """What was missed since then, by reason; from the end, as there are few such records."""
    found: dict[str, list[int | None]] = defaultdict(list)
    for entry in entries_backwards(ledger):
        record = decode(entry.line)
        if record.time < since:
            break
        if isinstance(record.event, Gap):
            found[record.event.reason].append(record.event.count)
    return tuple(
        GapSum(
            reason=reason,
            gaps=len(counts),
            count=None if None in counts else sum(count or 0 for count in counts),
        )
        for reason, counts in sorted(found.items())
    )
