"""A plan for the person who is to agree to it: the diff of every file, and each command."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from nsledger.node.changes import Command, FileChange, Plan

_SECRET: Final = re.compile(
    r"(?i)^(?P<key>[-+ ]\s*[\"']?[\w.-]*(auth|password|secret|token|username)[\w.-]*[\"']?\s*[=:])"
    r".+"
)
"""A line of a diff whose value is nobody's business: registry credentials stand in
containerd's configuration, and a diff is pasted into tickets."""


def lines(plan: Plan) -> Iterator[str]:
    """The plan as text."""
    for phase in plan.phases:
        yield f"# {phase.part}"
        for file in phase.files:
            yield from _diff(file)
        yield from (_command(command) for command in phase.commands)
        yield ""
    yield from (f"note: {note}" for note in plan.notes)


def _diff(file: FileChange) -> Iterator[str]:
    if not file.changes:
        return
    old = "" if file.before is None else file.before.data.decode(errors="replace")
    new = file.after.data.decode(errors="replace")
    source = "/dev/null" if file.before is None else file.path
    for line in difflib.unified_diff(
        old.splitlines(), new.splitlines(), source, file.path, lineterm=""
    ):
        yield _SECRET.sub(r"\g<key> (not shown)", line)


def _command(command: Command) -> str:
    return f"$ {' '.join(command.argv)}  # {command.why}"
