"""What the ledger may take of its disk, in one piece for those who pass it on."""

from __future__ import annotations

from dataclasses import dataclass

from nsledger.ledger.room import RoomLimits
from nsledger.recorder.rotation import RotationLimits

_NO_ROTATION = RotationLimits()
_NO_LIMITS = RoomLimits()


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """For the writer's thread; without any, one segment grows until the disk is full."""

    rotation: RotationLimits = _NO_ROTATION
    room: RoomLimits = _NO_LIMITS


UNLIMITED = WriterLimits()
