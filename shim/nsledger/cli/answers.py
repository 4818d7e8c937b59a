"""Of which type each command's `-o json` is: the one list behind their schemas.

A key that stands here stays, with its meaning; later versions add some.
"""

from __future__ import annotations

from typing import Any, Final

from nsledger.cli.joining import JoinedEvent
from nsledger.domain.answer import Answer
from nsledger.domain.explanation import Explanation
from nsledger.domain.finding import Finding
from nsledger.domain.matrix import Matrix
from nsledger.domain.pod_line import PodLine
from nsledger.node.doctor import outcome
from nsledger.report.orphans_text import OrphansReport
from nsledger.report.schema import answer_schema, record_schema, records_schema
from nsledger.report.status import Status
from nsledger.report.tree_text import Tree
from nsledger.report.verification import Verification

TYPES: Final[dict[str, Any]] = {
    "doctor": list[outcome.Finding],
    "explain": Explanation,
    "findings": list[Finding],
    "join": JoinedEvent,
    "orphans": OrphansReport,
    "pods": list[PodLine],
    "show": Matrix,
    "status": Status,
    "tree": Tree,
    "verify": Verification,
    "whois": Answer,
}


def schema_of(what: str) -> dict[str, Any]:
    """The JSON Schema of a `record`, or of what the command `what` answers with `-o json`."""
    match what:
        case "record":
            return record_schema()
        case "log":
            return records_schema()
        case _:
            return answer_schema(what, TYPES[what])
