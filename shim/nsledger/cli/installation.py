"""What `nsledger install`, `uninstall` and `bypass` do: look, plan, show or carry out."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import click

from nsledger.cli import exit_codes
from nsledger.cli.options import CONTAINERD_CONFIGURATION
from nsledger.cli.output import write_lines
from nsledger.errors import WrongUsageError
from nsledger.node import manifest as manifests
from nsledger.node import plan_text
from nsledger.node.apply import (
    apply,
    forget,
    preflight,
    require_kubelet_released,
    send_back,
    undo,
)
from nsledger.node.changes import Part, Plan
from nsledger.node.host import Host
from nsledger.node.planning import plan
from nsledger.node.proof import NodeProof
from nsledger.node.settings import ENDPOINT
from nsledger.node.survey import Survey, survey
from nsledger.render.text import visible

_PURGED: Final = ("/var/lib/nsledger", "/run/nsledger")


class NotInstalledError(WrongUsageError):
    """There is nothing to take back."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{manifests.MANIFEST}: found no installation of {what} on this node",
            hint="`nsledger install --dry-run` shows what an installation would do.",
        )


def install(
    *,
    dry_run: bool,
    only: Sequence[str],
    root: str,
    containerd: str,
    containerd_config: str,
    probe: bool,
) -> int:
    """Install, or show what would be done; the exit status."""
    host = Host.at(root)
    parts = frozenset(Part(one) for one in only) or frozenset(Part)
    found = survey(
        host,
        containerd=containerd,
        configuration=containerd_config,
        endpoint=ENDPOINT,
        needs_runtime=bool(parts - {Part.KUBELET}),
    )
    planned = plan(host, found, program=_program(host), parts=parts)
    if dry_run:
        # What could not be written is told now, not on the day of the installation.
        preflight(host, planned)
        write_lines(visible(line) for line in plan_text.lines(planned))
        if not planned.changes and not planned.missing:
            click.echo("nothing to do: everything is as it should be")
        return exit_codes.OK
    _require_root()
    proof = NodeProof(host, found, containerd, containerd_config, probe=probe, say=_say)
    return _carry_out(host, planned, proof)


def uninstall(*, root: str, purge: bool) -> int:
    """Take back everything that the manifest names; the exit status."""
    host = Host.at(root)
    kept = manifests.load(host)
    if kept is None and not purge:
        raise NotInstalledError("nsledger")
    _require_root()
    if kept is not None:
        require_kubelet_released(host, kept)
        for part in reversed(kept.parts):
            kept = undo(host, part, kept, _say)
        forget(host, kept)
    if purge:
        for directory in _PURGED:
            if host.exists(directory):
                shutil.rmtree(host.outside(directory))
                _say(f"removed {directory}")
    _say("done: the node's configuration is what it was")
    return exit_codes.OK


def bypass(*, back: bool, root: str) -> int:
    """Send the kubelet to the runtime's own socket, or `back` through the shim."""
    host = Host.at(root)
    kept = manifests.load(host)
    part = kept.part(Part.KUBELET) if kept else None
    if kept is None or part is None:
        raise NotInstalledError("the kubelet's part")
    _require_root()
    if not back:
        send_back(host, part, kept, _say)
        _say("the kubelet calls the runtime itself; `nsledger bypass --back` ends that")
        return exit_codes.OK
    found = survey(
        host,
        containerd="containerd",
        configuration=CONTAINERD_CONFIGURATION,
        endpoint=ENDPOINT,
        needs_runtime=False,
    )
    planned = plan(host, found, program=_program(host), parts=frozenset({Part.KUBELET}))
    return _carry_out(host, planned, _kubelet_proof(host, found))


def _kubelet_proof(host: Host, found: Survey) -> NodeProof:
    return NodeProof(host, found, "", "", probe=False, say=_say)


def _carry_out(host: Host, planned: Plan, proof: NodeProof) -> int:
    apply(host, planned, version=metadata.version("nsledger"), proof=proof, say=_say)
    for note in planned.notes:
        _say(f"note: {note}")
    if planned.missing:
        _say(f"not complete: without {' and '.join(one.part for one in planned.missing)}")
        return exit_codes.FOUND
    _say("done" if planned.changes else "nothing to do: everything is as it should be")
    return exit_codes.OK


def _program(host: Host) -> str:
    """This program's path, as the units name it; in an image the package's."""
    called = Path(sys.argv[0])
    if host.is_this_machine and called.name == "nsledger" and called.exists():
        return str(called.absolute())
    return "/usr/bin/nsledger"


def _require_root() -> None:
    if os.geteuid() != 0:
        raise PermissionError(1, "needs root; `nsledger install --dry-run` does not")


def _say(what: str) -> None:
    click.echo(visible(what))
