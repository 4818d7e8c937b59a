"""`nsledger status`: tell how the ledger is, who writes it and what is missing."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Final, Literal

import click
from msgspec.structs import replace

from nsledger.cli import exit_codes, options
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import Reading, reading
from nsledger.daemon import storage
from nsledger.daemon.config import DEFAULT_FILE, Configuration, read
from nsledger.errors import NsledgerError
from nsledger.index.records import Records
from nsledger.ledger import layout, place
from nsledger.ledger.disk_room import free_bytes
from nsledger.ledger.reader import entries, entries_backwards, ledger_id
from nsledger.model.events import Gap, LedgerStopped
from nsledger.model.record import Record, decode, rfc3339
from nsledger.proc.locks import flock_holder
from nsledger.render import ledger_status
from nsledger.render.ledger_status import (
    GapSum,
    RecordSpan,
    RemovedByRule,
    RunningDaemon,
    SpoolCount,
    Status,
    Storage,
)
from nsledger.render.text import visible
from nsledger.spool.directory import census

_HELP = """\
Tell how the ledger is: who writes it, what is in it, and how much room it has.

Bad news (exit status 1) is a daemon through which the runtime does not answer within a second, a
disk that is nearly full, a ledger that stopped because of it, a gap recorded in the last 24 hours,
and files that were moved aside in the spool. That no daemon writes the ledger is said, and is no
bad news by itself: it may be a copy.
"""


_ANSWER_S: Final = 1.0
"""A relayed Version takes a few milliseconds."""
_GAPS_S: Final = 86_400
"""How far back gaps are looked for."""


def run(
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
    if not os.path.exists(ledger) and _is_starting(ledger, configuration):
        sys.stdout.write(f"{visible(ledger)}: starting: the daemon has not opened it yet\n")
        return exit_codes.FOUND
    with reading(ledger) as found:
        status = look(found, configuration, now_ns=time.time_ns())
        status = replace(status, damage=found.damage)
    write_answer(status, output, lambda: ledger_status.draw(status, screen(color=color, utc=utc)))
    return found.status(exit_codes.FOUND if status.worries else exit_codes.OK)


def _is_starting(ledger: str, configuration: Configuration) -> bool:
    """Whether a daemon serves that is to make the ledger, and has not come to it."""
    if os.path.realpath(ledger) != os.path.realpath(configuration.ledger):
        return False
    return flock_holder(f"{configuration.listen}.lock") is not None


def look(found: Reading, configuration: Configuration, *, now_ns: int) -> Status:
    """How the ledger is at `now_ns` of Unix time.

    Raises:
        LedgerError: there is none, or it cannot be understood.
        OSError: it cannot be read.
    """
    ledger = found.ledger
    there = place.find(ledger)
    directory = ledger if os.path.isdir(ledger) else os.path.dirname(ledger) or "."
    holder = flock_holder(os.path.join(directory, layout.LOCK_NAME))
    first = next((decode(entry.line) for entry in entries(ledger, damaged=found.met)), None)
    backwards = entries_backwards(ledger, damaged=found.met)
    last = next((decode(entry.line) for entry in backwards), None)
    is_this_nodes = os.path.realpath(ledger) == os.path.realpath(configuration.ledger)
    since = rfc3339(now_ns - _GAPS_S * 10**9)
    free = free_bytes(directory)
    counted = census(configuration.spool)
    return Status(
        ledger=ledger,
        ledger_id=ledger_id(ledger),
        daemon=None
        if holder is None
        else RunningDaemon(
            pid=holder.pid,
            since=None if holder.since_ns is None else rfc3339(holder.since_ns),
            unanswered=_unanswered(configuration.listen) if is_this_nodes else None,
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
        gaps=_gaps(found, since, now_ns - _GAPS_S * 10**9),
        spool=None
        if counted is None
        else SpoolCount(waiting=counted.waiting, quarantined=counted.quarantined),
    )


def _unanswered(socket_path: str) -> str:
    """Why the runtime's version is not to be had through the daemon; empty if it is.

    A process that holds the ledger may be stopped, or have no runtime behind it.
    """
    from nsledger.cri.client import RuntimeClient  # noqa: PLC0415 - gRPC is slow

    try:
        with RuntimeClient(socket_path, timeout_s=_ANSWER_S) as client:
            client.version()
    except NsledgerError as error:
        return str(error)
    return ""


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


def _gaps(found: Reading, since: str, since_ns: int) -> tuple[GapSum, ...]:
    """What was missed since then, by reason."""
    gaps = found.ask_if_indexed(partial(_indexed_gaps, found, since_ns))
    if gaps is None:
        gaps = _gaps_from_the_end(found, since)
    by_reason: dict[str, list[int | None]] = defaultdict(list)
    for gap in gaps:
        by_reason[gap.reason].append(gap.count)
    return tuple(
        GapSum(
            reason=reason,
            gaps=len(counts),
            count=None if None in counts else sum(count or 0 for count in counts),
        )
        for reason, counts in sorted(by_reason.items())
    )


def _indexed_gaps(found: Reading, since_ns: int, records: Records) -> list[Gap]:
    """The same by the index; what was written last is followed entry by entry."""
    for _ in found.followed(records.newest_entries()):
        pass
    return [one.event for one in records.gaps(since_ns) if isinstance(one.event, Gap)]


def _gaps_from_the_end(found: Reading, since: str) -> list[Gap]:
    gaps: list[Gap] = []
    backwards = entries_backwards(found.ledger, damaged=found.met)
    for entry in found.followed(backwards, backwards=True):
        record = decode(entry.line)
        if record.time < since:
            break
        if isinstance(record.event, Gap):
            gaps.append(record.event)
    return gaps


command = click.Command(
    "status",
    callback=run,
    help=_HELP,
    epilog=options.epilog("nsledger status", "nsledger status -o json"),
    params=[
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False),
            metavar="FILE",
            envvar="NSLEDGER_CONFIG",
            help="What `nsledger serve` is told: where its spool is, and what is little room.",
        ),
        options.output(("text", "json", "yaml")),
        options.color(),
        options.utc(),
        options.ledger(),
    ],
)
