"""A plan for the person who is to agree to it: ten lines of summary, the diffs, the new files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from nsledger.node.changes import Command, FileChange, Part, Plan

_SECRET: Final = re.compile(
    r"(?i)^(?P<key>[-+ ]\s*[\"']?[\w.-]*(auth|password|secret|token|username)[\w.-]*[\"']?\s*[=:])"
    r".+"
)
"""A line of a diff whose value is nobody's business: registry credentials stand in
containerd's configuration, and a diff is pasted into tickets."""

_CONFIGURATION: Final = (Part.CONTAINERD, Part.KUBELET)
_KEYS: Final = (
    *("base_runtime_spec", "pod_annotations", "container_annotations", "imports", "hooks_dir"),
    *("containerRuntimeEndpoint", "--container-runtime-endpoint"),
)
"""What an installation sets in files of others."""
_RESTART: Final = "restart"


def lines(plan: Plan, *, full: bool = False) -> Iterator[str]:
    """The plan as text; `full` also has the content of new files that are no configuration."""
    yield from summary(plan)
    yield ""
    yield from body(plan, full=full)


def summary(plan: Plan) -> Iterator[str]:
    """At most ten lines: files, keys, commands, restarts, and what that is to the kubelet."""
    files = [file for phase in plan.phases for file in phase.files if file.changes]
    edited = [file.path for file in files if file.before is not None]
    new = [file for file in files if file.before is None]
    commands = [command for phase in plan.phases for command in phase.commands]
    restarted = [one.argv[2:] for one in commands if one.argv[:2] == ("systemctl", _RESTART)]
    services = ", ".join(dict.fromkeys(name for names in restarted for name in names))
    yield f"parts:    {', '.join(phase.part for phase in plan.phases) or 'none'}"
    yield f"edits:    {', '.join(edited) or 'no file that is there'}"
    yield f"keys:     {', '.join(_keys(plan)) or 'none'}"
    size = sum(len(file.after.data) for file in new)
    yield f"adds:     {len(new)} files, {_kib(size)}"
    yield f"runs:     {len(commands)} commands"
    yield f"restarts: {services or 'nothing'}; running pods go on"
    yield f"kubelet:  {_outage(plan, services)}"
    yield "undo:     nsledger uninstall: each file as it was"
    if plan.missing:
        yield f"missing:  {'; '.join(f'{one.part}: {one.found}' for one in plan.missing)}"


def body(plan: Plan, *, full: bool) -> Iterator[str]:
    """Phase by phase: diffs, commands, and new files by name and size, or whole."""
    for phase in plan.phases:
        yield f"# {phase.part}"
        for file in phase.files:
            if full or phase.part in _CONFIGURATION:
                yield from _diff(file)
            elif file.changes:
                how = "new" if file.before is None else "changed"
                yield f"{file.path}  {_kib(len(file.after.data))}, {how}"
        yield from (_command(command) for command in phase.commands)
        yield ""
    yield from (f"note: {note}" for note in plan.notes)


def _outage(plan: Plan, services: str) -> str:
    runtime = next((one for one in plan.phases if one.part is Part.CONTAINERD), None)
    names = [
        command.argv[2]
        for command in (runtime.commands if runtime else ())
        if command.argv[:2] == ("systemctl", _RESTART)
    ]
    if names:
        return (
            f"without a runtime while {names[0]} restarts (1 to 2 s on the test nodes); it tries "
            "again by itself"
        )
    return "its runtime stays up" if services else "nothing changes until the services restart"


def _keys(plan: Plan) -> Iterator[str]:
    """The keys and flags of configuration that get another value."""
    changed = [
        line
        for phase in plan.phases
        if phase.part in _CONFIGURATION
        for file in phase.files
        for line in _diff(file)
        if line.startswith("+") and not line.startswith("+++")
    ]
    yield from (key for key in _KEYS if any(key in line for line in changed))


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


def _kib(size_bytes: int) -> str:
    return f"{max(1, round(size_bytes / 1024))} KiB"


def _command(command: Command) -> str:
    return f"$ {' '.join(command.argv)}  # {command.why}"
