"""What the relay counts, as plain attributes: one thread writes them, any thread may read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_MOST_PATHS: Final = 256
OTHER_PATHS: Final = "other"
"""Where calls are counted once 256 different paths were seen, and those of unreadable headers."""


@dataclass(slots=True)
class Counters:
    """Totals since start, and what is there right now."""

    connections: int = 0
    """Accepted since start."""
    connections_open: int = 0
    connections_failed: int = 0
    """Closed because the runtime was not there in time."""
    in_flight: int = 0
    """Calls that the runtime has not ended."""
    calls: dict[str, int] = field(default_factory=dict[str, int])
    """Calls begun, by path."""
    overlooked: dict[str, int] = field(default_factory=dict[str, int])
    """Gaps, by reason."""
    client_bytes: int = 0
    """Received from clients."""
    runtime_bytes: int = 0
    """Received from the runtime."""

    def count_call(self, path: str) -> None:
        """One more call of `path`."""
        if path not in self.calls and len(self.calls) >= _MOST_PATHS:
            path = OTHER_PATHS
        self.calls[path] = self.calls.get(path, 0) + 1

    def count_overlooked(self, reason: str) -> None:
        """One more gap."""
        self.overlooked[reason] = self.overlooked.get(reason, 0) + 1
