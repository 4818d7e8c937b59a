"""When the segment that is being written is closed and another one begun: pure but for one look.

By size, by the age of its first record, and sooner while the disk is nearly full, since only closed
segments can be compressed and removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nsledger.ledger.errors import LedgerError
from nsledger.ledger.reader import entries
from nsledger.model.events import DiskStage
from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.record import UnreadableRecordError, decode

NEVER: Final = float("inf")
_PRUNED_BYTES: Final = 1 << 20
"""While the disk is nearly full; less would not be worth a file."""
_HELD_S: Final = 0.03
"""The longest that records wait for a segment to be closed: well within `hold_limit_s`."""
_BUSY_S: Final = 1.0
"""After which a disk that did not sync in time is asked again."""
_RETRY_S: Final = 30.0
"""After which one that refused is. Going on in the old segment is no harm."""


@dataclass(frozen=True, slots=True)
class RotationLimits:
    """What one segment may be; 0 is without a limit."""

    max_bytes: int = 0
    max_age_s: float = 0


class Rotation:
    """The age of one segment after the other. Times are those of the caller's monotonic clock."""

    def __init__(self, limits: RotationLimits) -> None:
        self._limits = limits
        self._due_s = NEVER
        self._not_before_s = 0.0
        self.held_until_s = NEVER
        """Until then records wait for the segment to be closed; NEVER while none does."""

    def opened(self, path: str, time_s: float, now_ns: int) -> None:
        """A segment that may have begun long ago is being written: how old is it?"""
        self._not_before_s = 0.0
        age_s = (now_ns - (first_time_ns(path) or now_ns)) / 1e9
        self._began(time_s - max(0.0, age_s))

    def begun(self, time_s: float) -> None:
        """A new segment is being written."""
        self._began(time_s)

    def hold(self, time_s: float) -> bool:
        """Whether records are to wait for the sync without which the segment cannot be closed."""
        if self.held_until_s == NEVER:
            self.held_until_s = time_s + _HELD_S
        if time_s < self.held_until_s:
            return True
        self._not_before_s = time_s + _BUSY_S
        self.held_until_s = NEVER
        return False

    def failed(self, time_s: float) -> None:
        """There is no new segment; it is not to be tried again at once."""
        self._not_before_s = time_s + _RETRY_S
        self.held_until_s = NEVER

    def due(self, size_bytes: int, time_s: float, stage: DiskStage) -> bool:
        """Whether a segment of that size is to be closed now."""
        if not size_bytes:
            self._began(time_s)  # it is as old as its first record will be
            return False
        if time_s < self._not_before_s:
            return False
        too_long = 0 < self._limits.max_bytes <= size_bytes
        in_need = stage in {DiskStage.PRUNE, DiskStage.STOP} and size_bytes >= _PRUNED_BYTES
        return too_long or in_need or time_s >= self._due_s

    def _began(self, time_s: float) -> None:
        self.held_until_s = NEVER
        self._due_s = time_s + self._limits.max_age_s if self._limits.max_age_s else NEVER


def first_time_ns(path: str) -> int | None:
    """When the first record of the segment at `path` was made; None if it tells no time."""
    try:
        for entry in entries(path):
            return unix_ns(decode(entry.line).time)
    except (LedgerError, UnreadableRecordError, NotAnInstantError):
        return None
    return None
