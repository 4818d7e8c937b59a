"""What `install`, `uninstall` and `bypass` answer: what was seen to work, and what was not seen."""

from __future__ import annotations

import enum

import msgspec


class ChangeResult(enum.StrEnum):
    """How a change of the node ended."""

    DONE = "done"
    """Carried out, and seen to work."""
    WRITTEN = "written"
    """Carried out; `not_proved` says what could not be looked at."""
    INCOMPLETE = "incomplete"
    """Half of it: `missing` says what this node lacks."""
    LEFT = "left"
    """Taken off but for the hook's place, which a container that was created with it needs."""
    NOTHING_TO_DO = "nothing-to-do"
    """Everything was as it should be."""
    PLANNED = "planned"
    """`--dry-run`: nothing was changed."""


class PartEvidence(msgspec.Struct, frozen=True):
    """One thing that was seen of a part, or not."""

    part: str
    """`hook`, `shim`, `containerd` or `kubelet`."""
    what: str
    """In words, which may change."""


class ChangeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a change of the node ended, and by what that is known."""

    result: ChangeResult
    summary: str
    """The last line of the text form."""
    proved: tuple[PartEvidence, ...] = ()
    """What was seen after the change."""
    not_proved: tuple[PartEvidence, ...] = ()
    """What could not be looked at."""
    missing: tuple[PartEvidence, ...] = ()
    """Parts that were asked for, and of which this node has nothing."""
    notes: tuple[str, ...] = ()
    """What whoever installed it has to know: handlers left alone, restarts to be made."""
