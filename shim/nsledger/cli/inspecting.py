"""What `nsledger findings` does: folds the ledger, selects, and says whether it is bad."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Literal

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.records import records
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.finding import Finding, Kind, Severity
from nsledger.domain.inspection import inspect
from nsledger.domain.instant import unix_ns
from nsledger.report import finding_table


@reading_a_ledger()
def inspecting(
    *,
    ledger: str,
    since: int | None,
    until: int | None,
    severity: str,
    kinds: Sequence[str],
    fail_on: str,
    output: Literal["table", "wide", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Tell the findings of the ledger at `ledger`; the exit status."""
    _need_kinds(kinds)
    found = [
        one
        for one in inspect(records(ledger))
        if one.severity.rank <= Severity(severity).rank
        and (not kinds or any(fnmatch.fnmatchcase(one.kind, kind) for kind in kinds))
        and _is_within(one, since, until)
    ]
    draw = finding_table.draw_wide if output == "wide" else finding_table.draw
    write_answer(
        found,
        output,
        lambda: draw(found, screen(color=color, utc=utc)) if found else ["no findings"],
    )
    if fail_on == "never":
        return exit_codes.OK
    bad = any(one.severity.rank <= Severity(fail_on).rank for one in found)
    return exit_codes.FOUND if bad else exit_codes.OK


def _need_kinds(patterns: Sequence[str]) -> None:
    """A misspelt kind must not look like a node on which all is well."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(kind, pattern) for kind in Kind):
            raise WrongUsageError(f"no kind is called {pattern!r}; there are:", details=[*Kind])


def _is_within(one: Finding, since: int | None, until: int | None) -> bool:
    if until is not None and unix_ns(one.first_time) >= until:
        return False
    return since is None or one.ongoing or unix_ns(one.last_time) >= since
