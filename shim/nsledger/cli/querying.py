"""What `nsledger sql` does: runs one statement that can only read, and writes its rows."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from typing import Literal, assert_never

from nsledger.cli import exit_codes
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.indexed import index_of
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.index.views import VIEWS, prepare
from nsledger.report import grid
from nsledger.report.grid import Piece
from nsledger.report.structured import to_json
from nsledger.report.text import visible

Value = str | int | float | bytes | None


@reading_a_ledger()
def querying(
    *,
    ledger: str,
    statement: str | None,
    schema: bool,
    timeout: float,
    output: Literal["table", "json", "csv"],
    color: ColorChoice,
) -> int:
    """Run `statement` on the index of `ledger`, or list the views; the exit status."""
    if schema or statement is None:
        titles = ["VIEW", "COLUMN", "HOLDS"]
        rows: list[tuple[Value, ...]] = [
            (view.name, column, holds) for view in VIEWS for column, holds in view.columns
        ]
        _write(titles, rows, output, color)
        return exit_codes.OK
    if not statement.strip():
        raise WrongUsageError("found no SELECT", hint="--schema lists the views and their columns.")
    with index_of(ledger) as index:
        prepare(index.database, timeout_s=timeout)
        try:
            found = index.database.execute(statement)
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
    return exit_codes.OK


def _write(
    titles: Sequence[str],
    rows: Iterable[tuple[Value, ...]],
    output: Literal["table", "json", "csv"],
    color: ColorChoice,
) -> None:
    match output:
        case "table":
            drawn = [[Piece(_text(value)) for value in row] for row in rows]
            write_lines(grid.draw(titles, drawn, screen(color=color, utc=True), flexible=titles))
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
