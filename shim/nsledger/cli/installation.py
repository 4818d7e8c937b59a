"""What `nsledger install`, `uninstall` and `bypass` do: look, plan, show or carry out.

The last line says what is true: "done" of what was seen to work, "written, not proved: ..." of what
could not be looked at, "not complete: ..." of half an installation.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Final

import click
import msgspec

from nsledger.cli import exit_codes
from nsledger.cli.output import write_lines
from nsledger.errors import WrongUsageError
from nsledger.node import manifest as manifests
from nsledger.node import plan_text, removal
from nsledger.node.apply import apply, preflight
from nsledger.node.changes import Part, Plan
from nsledger.node.containerd_files import GeneratedConfigurationError
from nsledger.node.planning import plan
from nsledger.node.proof import Evidence, NodeProof, NodeRelease
from nsledger.node.root import Host
from nsledger.node.settings import ENDPOINT
from nsledger.node.survey import survey
from nsledger.render.change_answer import ChangeAnswer, ChangeResult, PartEvidence
from nsledger.render.text import visible

_PURGED: Final = ("/var/lib/nsledger", "/run/nsledger")
_NOTHING: Final = "nothing to do: everything is as it should be"


class NotInstalledError(WrongUsageError):
    """There is nothing to take back."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{manifests.MANIFEST}: found no installation of {what} on this node",
            hint="`nsledger install --dry-run` shows what an installation would do.",
        )


class HiddenProgramError(WrongUsageError):
    """The unit's sandbox (`ProtectHome=yes`, `PrivateTmp=yes`) hides the program from itself."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"{program}: found nsledger below a directory that nsledger.service does not see",
            hint="Install it below /opt or /usr/local (`pipx install --global`, or a venv there), "
            "and run `nsledger install` from there.",
        )


@dataclass(frozen=True, slots=True)
class _Terminal:
    """Where a command says what it does, and its answer."""

    as_json: bool

    def say(self, what: str) -> None:
        """A step."""
        click.echo(visible(what), err=self.as_json)

    def end(self, answer: ChangeAnswer) -> None:
        """The last line."""
        if self.as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        else:
            click.echo(visible(answer.summary))


def install(
    *,
    dry_run: bool,
    only: Sequence[str],
    root: str,
    containerd: str,
    containerd_config: str,
    probe: bool,
    full: bool = False,
    output: str = "text",
) -> int:
    """Install, or show what would be done; the exit status."""
    unreadable: list[str] = []
    host = Host.at(root, unreadable=unreadable if dry_run and os.geteuid() != 0 else None)
    terminal = _Terminal(output == "json")
    parts = frozenset(Part(one) for one in only) or frozenset(Part)
    if not dry_run:
        _require_root()
    found = survey(
        host,
        containerd=containerd,
        configuration=containerd_config,
        endpoint=ENDPOINT,
        needs_runtime=bool(parts - {Part.KUBELET}),
    )
    try:
        planned = plan(host, found, program=_program(host, parts), parts=parts)
    except GeneratedConfigurationError as error:
        if dry_run and error.lines:
            click.echo(f"# The lines for {error.keeper.place}:\n\n{error.lines}")
        raise
    if dry_run:
        if unreadable:
            paths = ", ".join(dict.fromkeys(unreadable))
            note = f"not read, because that needs root: {paths}; the plan is without what they say"
            planned = replace(planned, notes=(*planned.notes, note))
        return _show(host, planned, terminal, full=full)
    proof = NodeProof(host, found, probe=probe, say=terminal.say)
    return _carry_out(host, planned, proof, terminal)


def uninstall(
    *,
    root: str,
    purge: bool,
    containerd: str = "",
    containerd_config: str = "",
    output: str = "text",
) -> int:
    """Take back everything that the manifest names; the exit status."""
    host = Host.at(root)
    terminal = _Terminal(output == "json")
    _require_root()
    kept = manifests.load(host)
    if kept is None and not purge:
        raise NotInstalledError("nsledger")
    evidence, is_gone = Evidence(), True
    if kept is not None:
        taken = removal.prepared(host, kept, program=containerd, main=containerd_config)
        release = NodeRelease(host, taken, say=terminal.say)
        is_gone = removal.remove(host, taken, release=release, say=terminal.say)
        evidence = release.evidence
    if not is_gone:
        summary = (
            "not complete: the hook's place is kept for containers that were created with it; "
            "run `nsledger uninstall` again when they have started"
        )
        terminal.end(_answer(ChangeResult.LEFT, summary, evidence))
        return exit_codes.FOUND
    if purge:
        for directory in _PURGED:
            if host.exists(directory):
                shutil.rmtree(host.outside(directory))
                terminal.say(f"removed {directory}")
    what = "the node's configuration is what it was"
    terminal.end(_ended(evidence, what))
    return exit_codes.OK


def bypass(*, back: bool, root: str, output: str = "text") -> int:
    """Send the kubelet to the runtime's own socket, or `back` through the shim."""
    host = Host.at(root)
    terminal = _Terminal(output == "json")
    _require_root()
    kept = manifests.load(host)
    if kept is None or (kept.part(Part.KUBELET) is None and not (back and kept.bypassed)):
        raise NotInstalledError("the kubelet's part")
    if not back:
        taken = removal.prepared(host, kept, only_kubelet=True)
        release = NodeRelease(host, taken, say=terminal.say)
        removal.bypass(host, taken, release=release, say=terminal.say)
        what = "the kubelet calls the runtime itself; `nsledger bypass --back` ends that"
        terminal.end(_ended(release.evidence, what))
        return exit_codes.OK
    found = survey(
        host,
        containerd=kept.containerd_program or "containerd",
        configuration=kept.containerd_main,
        endpoint=ENDPOINT,
        needs_runtime=False,
    )
    parts = frozenset({Part.KUBELET})
    planned = plan(host, found, program=_program(host, parts), parts=parts)
    proof = NodeProof(host, found, probe=False, say=terminal.say)
    return _carry_out(host, planned, proof, terminal)


def _show(host: Host, planned: Plan, terminal: _Terminal, *, full: bool) -> int:
    """The plan, for who is to agree to it."""
    if os.geteuid() == 0:
        # What could not be written is told now, not on the day of the installation.
        preflight(host, planned)
    missing = tuple(PartEvidence(part=one.part, what=one.found) for one in planned.missing)
    is_nothing = not planned.changes and not planned.missing
    if terminal.as_json:
        result = ChangeResult.NOTHING_TO_DO if is_nothing else ChangeResult.PLANNED
        summary = _NOTHING if is_nothing else "planned: nothing was changed"
        terminal.end(
            ChangeAnswer(result=result, summary=summary, missing=missing, notes=planned.notes)
        )
        return exit_codes.OK
    if planned.changes:
        write_lines(visible(line) for line in plan_text.lines(planned, full=full))
    else:
        write_lines(f"note: {visible(note)}" for note in planned.notes)
    if is_nothing:
        click.echo(_NOTHING)
    return exit_codes.OK


def _carry_out(host: Host, planned: Plan, proof: NodeProof, terminal: _Terminal) -> int:
    apply(host, planned, version=metadata.version("nsledger"), proof=proof, say=terminal.say)
    if not terminal.as_json:
        for note in planned.notes:
            terminal.say(f"note: {note}")
    evidence = proof.evidence
    if planned.missing:
        summary = f"not complete: without {' and '.join(one.part for one in planned.missing)}"
        missing = tuple(PartEvidence(part=one.part, what=one.found) for one in planned.missing)
        terminal.end(_answer(ChangeResult.INCOMPLETE, summary, evidence, missing, planned.notes))
        return exit_codes.FOUND
    if not planned.changes:
        terminal.end(_answer(ChangeResult.NOTHING_TO_DO, _NOTHING, evidence, notes=planned.notes))
    else:
        terminal.end(_ended(evidence, notes=planned.notes))
    return exit_codes.OK


def _ended(evidence: Evidence, what: str = "", notes: Sequence[str] = ()) -> ChangeAnswer:
    """The answer of a change that was carried out: done, or only written."""
    if evidence.not_proved:
        parts = dict.fromkeys(f"{part}: {why}" for part, why in evidence.not_proved)
        summary = f"written, not proved: {'; '.join(parts)}"
        return _answer(ChangeResult.WRITTEN, summary, evidence, notes=notes)
    return _answer(ChangeResult.DONE, f"done: {what}" if what else "done", evidence, notes=notes)


def _answer(
    result: ChangeResult,
    summary: str,
    evidence: Evidence,
    missing: tuple[PartEvidence, ...] = (),
    notes: Sequence[str] = (),
) -> ChangeAnswer:
    return ChangeAnswer(
        result=result,
        summary=summary,
        proved=tuple(PartEvidence(part=part, what=what) for part, what in evidence.proved),
        not_proved=tuple(PartEvidence(part=part, what=what) for part, what in evidence.not_proved),
        missing=missing,
        notes=tuple(notes),
    )


_HIDDEN: Final = ("/root/", "/home/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108 - not used


def _program(host: Host, parts: frozenset[Part]) -> str:
    """This program's path, as the units name it; in an image the package's.

    Raises:
        HiddenProgramError: nsledger.service could not start it.
    """
    called = Path(sys.argv[0])
    if not (host.is_this_machine and called.name == "nsledger" and called.exists()):
        return "/usr/bin/nsledger"
    program = str(called.absolute())
    places = (program, str(called.resolve()), sys.prefix)
    if Part.SHIM in parts and any(f"{place}/".startswith(_HIDDEN) for place in places):
        raise HiddenProgramError(program)
    return program


def _require_root() -> None:
    if os.geteuid() != 0:
        raise PermissionError(1, "needs root; `nsledger install --dry-run` does not")
