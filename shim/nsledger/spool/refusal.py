"""What the spool does not take in."""

from __future__ import annotations

from nsledger.errors import NsledgerError


class RefusedError(NsledgerError):
    """Something in the spool directory that is no hook record."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"refused: {reason}")
        self.reason = reason
        """A word to count by."""
