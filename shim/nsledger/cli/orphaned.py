"""What `nsledger orphans` does: looks at the node, and asks the ledger whose it was."""

from __future__ import annotations

import time
from typing import Literal

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.indexed import index_of
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.instant import unix_ns
from nsledger.domain.interval import Interval
from nsledger.domain.period import ALWAYS
from nsledger.domain.question import ByIdentity
from nsledger.index.answering import answer
from nsledger.index.opening import Index
from nsledger.proc import node, orphans
from nsledger.report import orphans_text
from nsledger.report.orphans_text import OrphansReport


@reading_a_ledger()
def orphaned(
    *, ledger: str, output: Literal["table", "json", "yaml"], utc: bool, color: ColorChoice
) -> int:
    """List the orphans of this node; the exit status."""
    seen = orphans.orphans()
    boot_id = node.boot_id()
    with index_of(ledger) as index:
        found = tuple(_with_owner(one, index, ledger, boot_id) for one in seen.found)
    report = OrphansReport(orphans=found, unreadable_processes=seen.unreadable)
    write_answer(report, output, lambda: orphans_text.draw(report, screen(color=color, utc=utc)))
    return exit_codes.OK


def _with_owner(
    one: orphans.Orphan, index: Index, ledger: str, boot_id: str
) -> orphans_text.Orphan:
    last = _last_owner(one, index, ledger, boot_id)
    over = None if last is None or last.until is None else unix_ns(last.until)
    return orphans_text.Orphan(
        type=one.type,
        identity=one.identity,
        held_by=tuple(holder.path for holder in one.holders),
        last_owner=last,
        by_id=one.identity.ns_id is not None,
        orphaned_s=None if over is None else max(0.0, (time.time_ns() - over) / 1e9),
    )


def _last_owner(one: orphans.Orphan, index: Index, ledger: str, boot_id: str) -> Interval | None:
    """The last on record who had exactly this namespace, as far as the kernel tells them apart."""
    question = ByIdentity(boot_id, one.type, one.identity)
    found = answer(index.database, index.reached, ledger, question, asked="", period=ALWAYS)
    return max(
        found.intervals,
        key=lambda interval: (unix_ns(interval.since), interval.evidence),
        default=None,
    )
