"""`nsledger schema`: the options, and the little that it does."""

from __future__ import annotations

from typing import Final

import click

from nsledger.cli import options

_HELP = """\
Print the JSON Schema of a record, or of what COMMAND answers with -o json.

A record is one line of the ledger: what `nsledger log -o jsonl` and a segment's lines are. Later
versions add events and keys, and change none. The keys of yaml are those of json.

COMMAND is bypass, doctor, explain, findings, install, join, log, orphans, pods, show, status, tree,
uninstall, verify or whois.
"""
ANSWERS: Final = (
    *("bypass", "doctor", "explain", "findings", "install", "join", "log", "orphans", "pods"),
    *("show", "status", "tree", "uninstall", "verify", "whois"),
)


def _run(what: str) -> None:
    from nsledger.cli.schemas import schema_of  # noqa: PLC0415 - `--help` needs no schema
    from nsledger.render.json_yaml import to_json  # noqa: PLC0415 - the same

    click.echo(to_json(schema_of(what)), nl=False)


command = click.Command(
    "schema",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger schema", "nsledger schema whois"),
    params=[
        click.Argument(
            ["what"],
            metavar="[COMMAND]",
            type=click.Choice(["record", *ANSWERS]),
            default="record",
            required=False,
        )
    ],
)
