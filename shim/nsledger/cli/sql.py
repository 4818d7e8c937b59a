"""`nsledger sql`: the options; what it does is in `querying`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
Ask the index in SQL: SELECT over views of pods, containers, namespaces, names, gaps and boots.

--schema lists the views with their columns, which stay. The dialect is SQLite's. Nothing can be
written, and a statement has --timeout seconds.

The views tell what each record says of itself. Who had an inode at a moment, though others got it
before and after, is a question for whois.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.querying import querying  # noqa: PLC0415 - `--help` needs no ledger

    if (values["statement"] is None) is not values["schema"]:
        raise click.UsageError("give a statement, or --schema.")
    return querying(**values)


command = click.Command(
    "sql",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger sql --schema",
        'nsledger sql "SELECT pod, since FROM pods WHERE until IS NULL"',
        'nsledger sql "SELECT type, count(*) FROM namespaces GROUP BY 1" -o csv',
    ),
    params=[
        click.Argument(["statement"], required=False),
        click.Option(["--schema"], is_flag=True, help="List the views and their columns."),
        click.Option(
            ["--timeout"],
            type=click.FloatRange(min=0),
            default=30,
            show_default=True,
            metavar="SECONDS",
            help="How long the statement may take.",
        ),
        options.output(("table", "json", "csv")),
        options.color(),
        options.ledger(),
    ],
)
