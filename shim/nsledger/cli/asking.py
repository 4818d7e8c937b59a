"""What `nsledger whois` does: folds the ledger into the answer to one question."""

from __future__ import annotations

import sys
from typing import Literal, assert_never

from nsledger.cli import exit_codes
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.records import records
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.domain.answer import Outcome, find
from nsledger.domain.question import NotAQuestionError, parse
from nsledger.domain.record import rfc3339
from nsledger.report import answer_text
from nsledger.report.structured import to_json, to_yaml


@reading_a_ledger()
def asking(
    *,
    ledger: str,
    x: str,
    at: int | None,
    output: Literal["table", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Answer from the ledger at `ledger`; the exit status."""
    try:
        question = parse(x)
    except NotAQuestionError as error:
        raise WrongUsageError(str(error), hint=error.hint) from error
    answer = find(records(ledger), question, asked=x, at=None if at is None else rfc3339(at))
    match output:
        case "table":
            write_lines(answer_text.draw(answer, screen(color=color, utc=utc)))
        case "json":
            sys.stdout.write(to_json(answer))
        case "yaml":
            sys.stdout.write(to_yaml(answer))
        case _:
            assert_never(output)
    return exit_codes.NO_ANSWER if answer.outcome is Outcome.UNKNOWN else exit_codes.OK
