"""`nsledger sql`: ask the index in SQL, read-only."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from typing import Literal, assert_never

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.output import ColorChoice, screen, write_lines
from nsledger.cli.reading import reading
from nsledger.errors import WrongUsageError
from nsledger.index.views import VIEWS, prepare
from nsledger.render import tables
from nsledger.render.json_yaml import to_json
from nsledger.render.tables import Piece
from nsledger.render.text import visible

_HELP = """\
Ask the index in SQL: SELECT over views of pods, containers, namespaces, names, gaps and boots.

--schema lists the views with their columns, which stay. The dialect is SQLite's. Nothing can be
written, and a statement has --timeout seconds.

The views tell what each record says of itself. Who had an inode at a moment, though others got it
before and after, is a question for whois.
"""


Value = str | int | float | bytes | None


def run(
    *,
    ledger: str,
    statement: str | None,
    schema: bool,
    timeout: float,
    output: Literal["table", "json", "csv"],
    color: ColorChoice,
) -> int:
    """Run `statement` on the index of `ledger`, or list the views; the exit status."""
    if (statement is None) is not schema:
        raise click.UsageError("give a statement, or --schema.")
    if schema or statement is None:
        titles = ["VIEW", "COLUMN", "HOLDS"]
        rows: list[tuple[Value, ...]] = [
            (view.name, column, holds) for view in VIEWS for column, holds in view.columns
        ]
        _write(titles, rows, output, color)
        return exit_codes.OK
    if not statement.strip():
        raise WrongUsageError("found no SELECT", hint="--schema lists the views and their columns.")
    with reading(ledger) as history:
        database = history.ask(lambda records: records.database)
        prepare(database, timeout_s=timeout)
        try:
            found = database.execute(statement)
            rows = found.fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                hint = "--timeout gives it longer; a WHERE may help more."
                raise WrongUsageError(f"took more than {timeout:g} s", hint=hint) from error
            hint = "--schema lists the views and their columns."
            raise WrongUsageError(f"no such SELECT: {error}", hint=hint) from error
        except (sqlite3.Error, sqlite3.Warning) as error:
            hint = "Only SELECT over the views that --schema lists is allowed."
            raise WrongUsageError(str(error), hint=hint) from error
        titles = [column[0] for column in found.description or ()]
    _write(titles, rows, output, color)
    return history.status(exit_codes.OK)


def _write(
    titles: Sequence[str],
    rows: Iterable[tuple[Value, ...]],
    output: Literal["table", "json", "csv"],
    color: ColorChoice,
) -> None:
    match output:
        case "table":
            drawn = [[Piece(_text(value)) for value in row] for row in rows]
            write_lines(tables.draw(titles, drawn, screen(color=color, utc=True), flexible=titles))
        case "json":
            sys.stdout.write(to_json([dict(zip(titles, row, strict=True)) for row in rows]))
        case "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(titles)
            inert = sys.stdout.isatty()  # a terminal must not obey what a name holds
            for row in rows:
                writer.writerow([_inert(value) for value in row] if inert else row)
        case _:
            assert_never(output)


def _inert(value: Value) -> Value:
    return visible(value) if isinstance(value, str) else value


def _text(value: Value) -> str:
    if value is None:
        return "-"
    return value.hex() if isinstance(value, bytes) else str(value)


command = click.Command(
    "sql",
    callback=run,
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
