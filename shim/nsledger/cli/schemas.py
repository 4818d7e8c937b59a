"""Of which type each command's `-o json` is: the one list behind their schemas.

A key that stands here stays, with its meaning; later versions add some.
"""

from __future__ import annotations

from typing import Any, Final

from nsledger.cli.commands.join import JoinedEvent
from nsledger.node.doctor import outcome
from nsledger.query.whois import Answer
from nsledger.render.change_answer import ChangeAnswer
from nsledger.render.explanation import Explanation
from nsledger.render.ledger_status import Status
from nsledger.render.orphans_text import OrphansReport
from nsledger.render.schemas import answer_schema, record_schema, records_schema
from nsledger.render.tree_text import Tree
from nsledger.render.verification import Verification
from nsledger.state.acceptance import Told
from nsledger.state.matrix import Matrix
from nsledger.state.pod_summary import PodLine

TYPES: Final[dict[str, Any]] = {
    "bypass": ChangeAnswer,
    "doctor": list[outcome.CheckResult],
    "explain": Explanation,
    "findings": list[Told],
    "install": ChangeAnswer,
    "join": JoinedEvent,
    "orphans": OrphansReport,
    "pods": list[PodLine],
    "show": Matrix,
    "status": Status,
    "tree": Tree,
    "uninstall": ChangeAnswer,
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
