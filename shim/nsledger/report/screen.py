"""What a report is drawn for: decided once by the command line, so that drawing stays pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the text goes."""

    width: int | None = None
    """Columns of the terminal; None where lines may be as long as they are."""
    color: bool = False
    unicode: bool = True
    """Whether signs and lines beyond ASCII can be shown."""
    zone: tzinfo | None = UTC
    """In which times are shown; None is the local one."""

    @property
    def host_sign(self) -> str:
        """Stands before what is the host's, readable without colour."""
        return "▲" if self.unicode else "!"

    @property
    def mismatch_sign(self) -> str:
        """Stands where layers disagree."""
        return "≠" if self.unicode else "#"

    @property
    def arrow(self) -> str:
        """Stands between a pod and what is in it."""
        return " \u203a " if self.unicode else " > "

    @property
    def ellipsis(self) -> str:
        """Stands for what was cut off."""
        return "…" if self.unicode else "~"
