"""What `nsledger show` does: folds the ledger, finds the pod, draws its matrix."""

from __future__ import annotations

import sys
from typing import Literal, assert_never

from nsledger.cli import exit_codes
from nsledger.cli.past import folded, pod_in
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.domain.pod_matrix import pod_matrix
from nsledger.report import matrix_table, pod_heading, process_tables
from nsledger.report.structured import to_json, to_yaml


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
    then = folded(ledger, at)
    found = pod_in(ledger, pod, then)
    matrix = pod_matrix(
        found,
        then.workloads.host,
        all_attempts=all_attempts,
        at=then.at,
        unwatched=then.unwatched,
    )
    match output:
        case "table" | "wide":
            drawn_for = screen(color=color, utc=utc)
            draw = matrix_table.draw if output == "table" else process_tables.draw
            write_lines(pod_heading.draw(matrix, drawn_for))
            write_lines([""])
            write_lines(draw(matrix, drawn_for))
        case "json":
            sys.stdout.write(to_json(matrix))
        case "yaml":
            sys.stdout.write(to_yaml(matrix))
        case _:
            assert_never(output)
    bad = any(matrix.mismatches()) or any(matrix.changes())
    return exit_codes.FOUND if bad else exit_codes.OK
