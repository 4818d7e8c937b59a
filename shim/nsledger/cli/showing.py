"""What `nsledger show` does: folds the ledger, finds the pod, draws its matrix."""

from __future__ import annotations

import sys
from typing import Literal, assert_never

from nsledger.cli import exit_codes
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.records import records
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.domain.pod import Pod
from nsledger.domain.pod_lookup import AmbiguousPodError, find_pod
from nsledger.domain.pod_matrix import pod_matrix
from nsledger.domain.workloads import Workloads
from nsledger.report import matrix_table, pod_heading, process_tables
from nsledger.report.structured import to_json, to_yaml


@reading_a_ledger()
def showing(
    *,
    ledger: str,
    pod: str,
    all_attempts: bool,
    output: Literal["table", "wide", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Show `pod` as the ledger at `ledger` knows it; the exit status."""
    workloads = Workloads()
    for record in records(ledger):
        workloads.apply_record(record)
    try:
        found = find_pod(workloads, pod)
    except AmbiguousPodError as error:
        raise WrongUsageError(str(error), details=[_known_by(one) for one in error.pods]) from error
    matrix = pod_matrix(found, workloads.host, all_attempts=all_attempts)
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
    return exit_codes.FOUND if any(matrix.mismatches()) else exit_codes.OK


def _known_by(pod: Pod) -> str:
    """All that a pod can be asked for by."""
    ended = "  ended" if pod.ended else ""
    return f"{pod.ref.full_name}  {pod.ref.pod_sandbox_id[:13]}  {pod.ref.uid}{ended}"
