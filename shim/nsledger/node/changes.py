"""What an installation does to a node, as data: nothing here touches one.

A plan is made of phases. Each phase can be undone by itself, so that a failed installation and an
uninstallation go the same way back: phases in reverse order, the configuration first, the files
that it names last.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nsledger.node.root import Content


class Part(StrEnum):
    """What `--only` can pick, in the order in which it is installed."""

    HOOK = "hook"
    """The hook's own copy of its code and the base runtime specs: named by nothing yet."""
    SHIM = "shim"
    """The daemon's configuration and units."""
    CONTAINERD = "containerd"
    """The runtime's configuration: from its restart on, containers start with the hook."""
    KUBELET = "kubelet"
    """The kubelet's runtime endpoint: from its restart on, its calls go through the shim."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run on the node."""

    argv: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that is to be written."""

    path: str
    """The node's path, links resolved: what is put back is put back where it was."""
    before: Content | None
    """None: there is no such file yet."""
    after: Content

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Phase:
    """What is done, and undone, together."""

    part: Part
    files: tuple[FileChange, ...]
    commands: tuple[Command, ...] = ()
    """Run when the files are written."""
    undo_before: tuple[Command, ...] = ()
    """Run before the files are put back; a failure is told and does not stop the way back."""
    undo_after: tuple[Command, ...] = ()
    """Run when the files are put back; likewise."""

    @property
    def changes(self) -> bool:
        """Whether a file of it is to be written."""
        return any(file.changes for file in self.files)


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that was asked for, and of which there is nothing on the node to change."""

    part: Part
    found: str
    """Why; a note of the plan says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it, in order."""

    phases: tuple[Phase, ...]
    notes: tuple[str, ...] = ()
    """What the person at the terminal has to know: handlers left alone, restarts to be made."""
    missing: tuple[Missing, ...] = ()
    """An installation without them is half of one, which is not success."""
    sources: tuple[tuple[str, str], ...] = ()
    """Of each base runtime spec of ours the path of the admin's that it was made from; "" where
    it was made from the runtime's own default."""
    program: str = ""
    """containerd's, as the plan was made for it."""
    main: str = ""
    """Its main configuration file."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.phases)
