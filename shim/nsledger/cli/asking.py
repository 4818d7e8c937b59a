"""What `nsledger whois` does: answers one question, and looks whether that still holds."""

from __future__ import annotations

import time
from typing import Literal

from msgspec.structs import replace

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.indexed import index_of
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.records import records
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.answer import Answer, Outcome, find
from nsledger.domain.period import ALWAYS, Period
from nsledger.domain.question import ByIdentity, ByPath, NotAQuestionError, Question, parse
from nsledger.domain.record import rfc3339
from nsledger.index.answering import answer
from nsledger.report import answer_text


@reading_a_ledger()
def asking(
    *,
    ledger: str,
    x: str,
    at: int | None,
    since: int | None,
    until: int | None,
    live: bool,
    no_index: bool,
    output: Literal["table", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Answer from the ledger at `ledger`; the exit status."""
    try:
        question = parse(x)
    except NotAQuestionError as error:
        raise WrongUsageError(str(error), hint=error.hint) from error
    period = _period(at, since, until)
    found = _found(ledger, question, x, period, no_index=no_index)
    if isinstance(question, ByPath) and found.outcome is Outcome.UNKNOWN:
        found = _as_mounted(ledger, question, found, period, no_index=no_index)
    if live:
        from nsledger.cli import living  # noqa: PLC0415 - most answers are about the record

        found = replace(found, live=living.state_of(found.intervals))
    write_answer(found, output, lambda: answer_text.draw(found, screen(color=color, utc=utc)))
    return exit_codes.NO_ANSWER if found.outcome is Outcome.UNKNOWN else exit_codes.OK


def _period(at: int | None, since: int | None, until: int | None) -> Period:
    if at is not None:
        return Period.moment(rfc3339(at))
    if since is None and until is None:
        return ALWAYS
    return Period(
        None if since is None else rfc3339(since), None if until is None else rfc3339(until)
    )


def _found(ledger: str, question: Question, x: str, period: Period, *, no_index: bool) -> Answer:
    if no_index:
        return find(records(ledger), question, asked=x, period=period)
    with index_of(ledger) as index:
        return answer(index.database, index.reached, ledger, question, asked=x, period=period)


def _as_mounted(
    ledger: str, question: ByPath, unknown: Answer, period: Period, *, no_index: bool
) -> Answer:
    """Whose namespace the path leads to now, on this node and this boot.

    Where the kernel gives no id, its inode names it only as long as it is there: then it is asked
    for now, and another time stays unknown.
    """
    from nsledger.proc import node, nsfs  # noqa: PLC0415 - most questions are no paths

    mounted = nsfs.identify(question.path)
    if mounted is None:
        return unknown
    type_, identity = mounted
    if identity.ns_id is None:
        if not period.is_always:
            return unknown
        period = Period.moment(rfc3339(time.time_ns()))
    meant = ByIdentity(node.boot_id(), type_, identity)
    found = _found(ledger, meant, unknown.asked, period, no_index=no_index)
    return unknown if found.outcome is Outcome.UNKNOWN else found
