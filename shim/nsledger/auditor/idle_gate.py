"""Lets the kubelet's calls go first: Python runs one thread at a time, and the relay is one.

Following up a CreateContainer takes about a millisecond of it, in which a call that is relayed at
the same time would wait at each of its system calls. Nobody waits for the follow-up, so it does,
until the relay rests or something comes that cannot wait: the kubelet's StartContainer, as a rule.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

IDLE_WINDOW_S: Final = 0.01
"""Nothing relayed for so long is a rest. To look more often would take the interpreter for it."""
_LONGEST_S: Final = 1.0
"""A job waits no longer, however busy the relay is."""


class IdleGate:
    """Waits, on a thread that does not matter, for a rest of the relay's."""

    def __init__(self, relayed_bytes: Callable[[], int]) -> None:
        """`relayed_bytes` is how much has passed so far; any change is no rest."""
        self._relayed_bytes = relayed_bytes
        self._rested_at: int | None = None
        """How much had passed at the last rest: it lasts until there is more."""

    def wait(self, urgent: threading.Event) -> None:
        """Return when the relay rests, after a second at the latest, at once if `urgent` is set."""
        relayed = self._relayed_bytes()
        if relayed == self._rested_at:
            return
        deadline_s = time.monotonic() + _LONGEST_S
        while not urgent.wait(IDLE_WINDOW_S):
            before, relayed = relayed, self._relayed_bytes()
            if relayed == before:
                self._rested_at = relayed
                return
            if time.monotonic() >= deadline_s:
                return
