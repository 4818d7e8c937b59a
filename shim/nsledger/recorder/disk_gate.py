"""Whether the ledger may be written, by the room that its file system has.

Three stages: say that it gets full; close, compress and remove old segments (`Maintenance` does,
this says when); stop writing before nothing fits any more. The last record says that it stopped,
with room that was reserved for it. When there is room again, the next one says since when it had
stopped. On the writer's thread, like all of `GroupCommit`.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nsledger.ledger.disk_room import Reserve, RoomLimits, free_bytes
from nsledger.ledger.errors import LedgerError
from nsledger.model.events import (
    DISK_FULL,
    DiskStage,
    DiskStageChanged,
    Event,
    LedgerResumed,
    LedgerStopped,
    Source,
)
from nsledger.model.record import Moment, rfc3339
from nsledger.recorder.rotation import RotationLimits

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFullError(LedgerError):
    """Too little room is left to go on writing; that will be tried again."""

    hint = (
        "Make room on the ledger's file system; nsledger goes on by itself, and says what it lost."
    )

    def __init__(self, *, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(f"found {free_bytes} bytes free, needed {needed_bytes}")
        self.free_bytes, self.needed_bytes = free_bytes, needed_bytes


class DiskGate:
    """The gate of one ledger: opens and closes with the room that is left."""

    def __init__(self, limits: RoomLimits, now: Callable[[], Moment]) -> None:
        self.stage = DiskStage.OK
        self.stopped: Moment | None = None
        """Since when nothing is written."""
        self.free_bytes: int | None = None
        """At the last look."""
        self._limits = limits
        self._now = now
        self._reserve: Reserve | None = None

    def look(self, directory: str, tell: Callable[[Event], None]) -> None:
        """Let the caller write, or not.

        Args:
            directory: The ledger's.
            tell: Puts one event into the ledger, at once.

        Raises:
            DiskFullError: there is no room; the ledger's last record says so.
            OSError: there is none for saying it either.
        """
        free = self.free_bytes = free_bytes(directory)
        reserve = self._reserve = self._reserve or Reserve(directory, self._limits.reserve_bytes)
        if self.stopped is not None:
            self._resume(free, reserve, tell)
        stage = self._limits.stage(free)
        if stage is DiskStage.STOP:
            self.stop(tell)
            raise DiskFullError(free_bytes=free, needed_bytes=self._limits.resume_bytes)
        if free >= self._limits.resume_bytes:
            with contextlib.suppress(OSError):  # it is for worse times than these
                reserve.hold()
        self._change_to(stage, free, tell)

    def stop(self, tell: Callable[[Event], None]) -> None:
        """Have the last record written, once, if need be into the reserved room.

        Raises:
            OSError: someone else took that room. It may be tried again.
        """
        if self.stopped is not None:
            return
        stopped = LedgerStopped(
            source=Source.DAEMON, reason=DISK_FULL, free_bytes=self.free_bytes or 0
        )
        try:
            tell(stopped)
        except OSError as error:
            if self._reserve is None or not is_out_of_room(error):
                raise
            self._reserve.release()
            tell(stopped)
        self.stopped = self._now()
        self.stage = DiskStage.STOP

    def _resume(self, free: int, reserve: Reserve, tell: Callable[[Event], None]) -> None:
        needed = self._limits.resume_bytes
        if free < needed or self.stopped is None:
            raise DiskFullError(free_bytes=free, needed_bytes=needed)
        reserve.hold()
        since = rfc3339(self.stopped.time_ns)
        tell(LedgerResumed(source=Source.DAEMON, free_bytes=free, stopped_time=since))
        self.stopped = None

    def _change_to(self, stage: DiskStage, free: int, tell: Callable[[Event], None]) -> None:
        if stage is not self.stage:
            tell(
                DiskStageChanged(
                    source=Source.DAEMON, stage=stage, before=self.stage, free_bytes=free
                )
            )
            self.stage = stage


def is_out_of_room(error: Exception) -> bool:
    """Whether the disk refused because it, or its owner's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


_NO_ROTATION = RotationLimits()
_NO_LIMITS = RoomLimits()


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """For the writer's thread; without any, one segment grows until the disk is full."""

    rotation: RotationLimits = _NO_ROTATION
    room: RoomLimits = _NO_LIMITS


UNLIMITED = WriterLimits()
