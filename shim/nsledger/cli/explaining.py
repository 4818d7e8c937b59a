"""What `nsledger explain` does: folds the ledger, finds the pod, and says why it is as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.past import matrix_of
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.explanation import explain
from nsledger.domain.matrix import ORDER, Matrix
from nsledger.domain.namespaces import NamespaceType
from nsledger.report import explanation_text, pod_heading


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
    matrix = matrix_of(ledger, pod, at, all_attempts=all_attempts)
    _need_containers(matrix, containers)
    wanted = [type_ for type_ in ORDER if type_ in {NamespaceType(one) for one in types}] or ORDER
    explanation = explain(matrix, wanted, containers)

    def draw() -> Iterator[str]:
        drawn_for = screen(color=color, utc=utc)
        yield from pod_heading.draw(matrix, drawn_for)
        yield ""
        yield from explanation_text.draw(explanation, drawn_for)

    write_answer(explanation, output, draw)
    return exit_codes.FOUND if explanation.bad_news else exit_codes.OK


def _need_containers(matrix: Matrix, containers: Sequence[str]) -> None:
    there = list(dict.fromkeys(process.name for process in matrix.processes))
    for name in containers:
        if name not in there:
            raise WrongUsageError(f"no container {name!r} in {matrix.pod.full_name}", details=there)
