"""`nsledger log`: the options; what it does is in `listing`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options
from nsledger.cli.moment import IN_HELP, MomentType, require_order

_SOURCES = ("cri_proxy", "oci_hook", "reconcile", "daemon")

_HELP = """\
List what is on record, oldest first.

The table has the time, the event, the pod and container, and the gist.

Records stand in the order in which they were written, which is the order of their numbers. Times
are the node's wall clock then: where it was set, a record `clock.stepped` says so, and times may
go back. --since and --until look at each record's own time, so over such a step they may select
records that do not stand together, and they miss none.

A shipper goes on where it was with --cursor: the number of the last line that it has, and the
line's SHA-256, newline included.

An export proves more with the node's signed checkpoints: --checkpoints puts those of FILE between
the lines of jsonl, as {"checkpoint":"…"}, each behind its entry, or behind what was exported when
it was signed. `nsledger verify --checkpoint` reads them out of the export; the lines that begin
with {"seq" are the copy of the ledger.

jsonl gives each line as it was written, byte for byte, so that its hash can be checked; only to a
terminal, characters that could steer it go escaped. A live ledger may be read at any time.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.listing import listing  # noqa: PLC0415 - `--help` needs no ledger

    require_order(values["since"], values["until"])
    if values["follow"] and values["reverse"]:
        raise click.UsageError("--follow goes on for ever, so --reverse has no end to begin at.")
    if values["follow"] and values["output"] == "json":
        raise click.UsageError("a JSON array that is followed has no end: use -o jsonl.")
    if values["checkpoints"] and (values["output"] != "jsonl" or values["reverse"]):
        raise click.UsageError("--checkpoints stand between the lines of -o jsonl, oldest first.")
    return listing(**values)


command = click.Command(
    "log",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger log --since 1h",
        "nsledger log -f --event gap --event 'container.*'",
        "nsledger log --pod default/web -o wide",
        "nsledger log --since yesterday --until today --source oci_hook",
        "nsledger log -n 1 -o jsonl",
        "nsledger log -o jsonl | sha256sum",
        "nsledger log -o jsonl --cursor 0:$(printf %064d 0)",
        "nsledger log -o jsonl --checkpoints checkpoints",
        more=IN_HELP,
    ),
    params=[
        click.Option(["--since"], type=MomentType(), help="Only what was recorded then or later."),
        click.Option(["--until"], type=MomentType(), help="Only what was recorded before then."),
        click.Option(
            ["-n", "--lines"],
            type=click.IntRange(min=0),
            metavar="N",
            help="Only the newest N of what is selected.",
        ),
        click.Option(["-r", "--reverse"], is_flag=True, help="Newest first."),
        click.Option(
            ["-f", "--follow"], is_flag=True, help="Go on with what is recorded from now on."
        ),
        click.Option(
            ["--cursor"],
            metavar="SEQ:HASH",
            help=(
                "Only what comes after the entry of that number, whose line has that SHA-256: an "
                "error if the ledger was replaced, or no longer has what comes next."
            ),
        ),
        click.Option(
            ["--checkpoints"],
            metavar="FILE",
            help="Put these checkpoints between the lines: the daemon's checkpoint_file.",
        ),
        click.Option(
            ["--pod"],
            multiple=True,
            metavar="POD",
            help="Only of this pod: name, k8s_namespace/name, uid, id prefix, or a shell pattern.",
        ),
        click.Option(
            ["--container"],
            multiple=True,
            metavar="NAME",
            help="Only of this container: name, id prefix, or a shell pattern.",
        ),
        click.Option(
            ["--event"], multiple=True, metavar="NAME", help="Only this event, or a shell pattern."
        ),
        click.Option(
            ["--source"],
            multiple=True,
            type=click.Choice(_SOURCES),
            help="Only what this witness saw.",
        ),
        options.output(("table", "wide", "json", "jsonl", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
