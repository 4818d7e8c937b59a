"""`nsledger orphans`: list namespaces that are kept alive without a process in them."""

from __future__ import annotations

import time
from typing import Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import Reading, reading
from nsledger.model.instants import ALWAYS, unix_ns
from nsledger.proc import host, nsfs
from nsledger.query.index_lookup import answer
from nsledger.query.targets import ByIdentity
from nsledger.render import orphans_text
from nsledger.render.orphans_text import OrphansReport
from nsledger.state.intervals import Interval, OwnerKind

_HELP = """\
List namespaces of this node that are kept alive without a process in them.

A bind mount (a leaked /run/netns/cni-…) or an open descriptor keeps a namespace after its last
process. For each one: what keeps it, who had it last by the record, and for how long nobody has.
What a running pod keeps without a process (CRI-O) is none. Nothing is deleted.

It looks at the mounts of its own mount namespace and at the descriptors of all processes, which
needs root; what it may not look at is counted.
"""


def run(
    *, ledger: str, output: Literal["table", "json", "yaml"], utc: bool, color: ColorChoice
) -> int:
    """List the orphans of this node; the exit status."""
    seen = nsfs.orphans()
    boot_id = host.boot_id()
    with reading(ledger) as history:
        owned = [_with_owner(one, history, boot_id) for one in seen.found]
    found = tuple(one for one in owned if not _is_kept(one))
    report = OrphansReport(orphans=found, unreadable_processes=seen.unreadable)
    write_answer(report, output, lambda: orphans_text.draw(report, screen(color=color, utc=utc)))
    return history.status(exit_codes.OK)


def _with_owner(one: nsfs.Orphan, history: Reading, boot_id: str) -> orphans_text.Orphan:
    last = _last_owner(one, history, boot_id)
    over = None if last is None or last.until is None else unix_ns(last.until)
    return orphans_text.Orphan(
        type=one.type,
        identity=one.identity,
        held_by=tuple(holder.path for holder in one.holders),
        last_owner=last,
        by_id=one.identity.ns_id is not None,
        orphaned_s=None if over is None else max(0.0, (time.time_ns() - over) / 1e9),
    )


def _is_kept(one: orphans_text.Orphan) -> bool:
    """Whether a sandbox that runs without a process has it: its pins are no leftovers."""
    last = one.last_owner
    return (
        last is not None
        and last.until is None
        and last.owner.kind is OwnerKind.SANDBOX
        and not last.pid
    )


def _last_owner(one: nsfs.Orphan, history: Reading, boot_id: str) -> Interval | None:
    """The last on record who had exactly this namespace, as far as the kernel tells them apart."""
    question = ByIdentity(boot_id, one.type, one.identity)
    found = history.ask(lambda records: answer(records, question, asked="", period=ALWAYS))
    return max(
        found.intervals,
        key=lambda interval: (unix_ns(interval.since), interval.evidence),
        default=None,
    )


command = click.Command(
    "orphans",
    callback=run,
    help=_HELP,
    epilog=options.epilog("nsledger orphans", "nsledger orphans -o json"),
    params=[
        options.output(("table", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
