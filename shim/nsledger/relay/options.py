"""What the relay can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FailurePolicy = Literal["ignore", "fail"]
"""What becomes of a call that cannot be watched: it passes, or it is refused."""


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """Bounds of time and memory; nothing here changes what passes untouched."""

    hold_limit_s: float = 0.1
    """The longest that a complete request waits for its watcher."""
    failure_policy: FailurePolicy = "ignore"
    dial_limit_s: float = 2.0
    """The longest that an accepted connection waits for a runtime that is not there."""
    held_message_bytes: int = 16 << 20
    """A longer request is not held (the runtime's own limit is 16 MiB)."""
    held_bytes: int = 64 << 20
    """Of all held requests of one connection."""
    copied_message_bytes: int = 4 << 20
    """A longer answer, or tapped request, is not copied."""
