"""What `nsledger show` does: folds the ledger, finds the pod, draws its matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.past import matrix_of
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.report import matrix_table, pod_heading, process_tables


@reading_a_ledger()
def showing(
    *,
    ledger: str,
    pod: str,
    at: int | None,
    all_attempts: bool,
    output: Literal["table", "wide", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Show `pod` as the ledger at `ledger` knows it; the exit status."""
    matrix = matrix_of(ledger, pod, at, all_attempts=all_attempts)

    def draw() -> Iterator[str]:
        drawn_for = screen(color=color, utc=utc)
        yield from pod_heading.draw(matrix, drawn_for)
        yield ""
        tables = process_tables if output == "wide" else matrix_table
        yield from tables.draw(matrix, drawn_for)

    write_answer(matrix, output, draw)
    bad = any(matrix.mismatches()) or any(matrix.changes())
    return exit_codes.FOUND if bad else exit_codes.OK
