"""What nsledger raises. One class per decision a caller makes; data in attributes.

A message says what was found, then what was needed; `hint` says what to do about it. `OSError` is
not wrapped: it already carries its errno and its path.
"""

from __future__ import annotations

from collections.abc import Sequence


class NsledgerError(Exception):
    """The root of everything that nsledger raises itself."""

    hint: str = ""
    """One sentence for the person at the terminal; empty where the message says it all."""
    exit_status: int | None = None
    """Of the command that ends with it, where another than its kind's is right."""


class WrongUsageError(NsledgerError):
    """What was asked for is not one thing; the command line has to change."""

    def __init__(self, message: str, *, details: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message)
        self.details = details
        """Lines of their own below the message."""
        self.hint = hint
