"""Both clocks of this node, and its boot."""

from __future__ import annotations

import time
from typing import Protocol

from nsledger.domain.record import Moment


class Clock(Protocol):
    """Tells the moment."""

    def now(self) -> Moment:
        """Now."""
        ...


class NodeClock:
    """CLOCK_REALTIME and CLOCK_MONOTONIC of the kernel."""

    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id

    def now(self) -> Moment:
        """Now."""
        return Moment(time.time_ns(), time.monotonic_ns(), self._boot_id)
