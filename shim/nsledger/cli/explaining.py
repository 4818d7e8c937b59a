"""What `nsledger explain` does: folds the ledger, finds the pod, and says why it is as it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, assert_never

from nsledger.cli import exit_codes
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.past import folded, pod_in
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.domain.explanation import explain
from nsledger.domain.matrix import ORDER, Matrix
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.pod_matrix import pod_matrix
from nsledger.report import explanation_text, pod_heading
from nsledger.report.structured import to_json, to_yaml


@reading_a_ledger()
def explaining(
    *,
    ledger: str,
    pod: str,
    types: Sequence[str],
    containers: Sequence[str],
    at: int | None,
    all_attempts: bool,
    output: Literal["text", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Explain `pod` by the ledger at `ledger`; the exit status."""
    then = folded(ledger, at)
    found = pod_in(ledger, pod, then)
    matrix = pod_matrix(
        found,
        then.workloads.host,
        all_attempts=all_attempts,
        at=then.at,
        unwatched=then.unwatched,
    )
    _need_containers(matrix, containers)
    wanted = [type_ for type_ in ORDER if type_ in {NamespaceType(one) for one in types}] or ORDER
    explanation = explain(matrix, wanted, containers)
    match output:
        case "text":
            drawn_for = screen(color=color, utc=utc)
            write_lines(pod_heading.draw(matrix, drawn_for))
            write_lines([""])
            write_lines(explanation_text.draw(explanation, drawn_for))
        case "json":
            sys.stdout.write(to_json(explanation))
        case "yaml":
            sys.stdout.write(to_yaml(explanation))
        case _:
            assert_never(output)
    return exit_codes.FOUND if explanation.bad_news else exit_codes.OK


def _need_containers(matrix: Matrix, containers: Sequence[str]) -> None:
    there = list(dict.fromkeys(process.name for process in matrix.processes))
    for name in containers:
        if name not in there:
            raise WrongUsageError(f"no container {name!r} in {matrix.pod.full_name}", details=there)
