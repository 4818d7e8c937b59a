"""`nsledger schema`: the options, and the little that it does."""

from __future__ import annotations

import click

from nsledger.cli import options

_HELP = """\
Print the JSON Schema of a record, which is one line of the ledger.

It is the one that `nsledger log -o jsonl` and a segment's lines fit. Later versions add events and
fields, and change none.
"""


def _run() -> None:
    from nsledger.report.schema import record_schema  # noqa: PLC0415 - `--help` needs no schema
    from nsledger.report.structured import to_json  # noqa: PLC0415 - the same

    click.echo(to_json(record_schema()), nl=False)


command = click.Command(
    "schema", callback=_run, help=_HELP, epilog=options.epilog("nsledger schema")
)
