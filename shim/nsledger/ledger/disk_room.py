"""How much room the ledger's file system has, and the piece of it that is kept for the last record.

Source: statvfs(3), `f_bavail`; posix_fallocate(3).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from nsledger.ledger import files, layout
from nsledger.model.events import DiskStage


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """From how little free space on what is done about it; 0 is never."""

    warn_bytes: int = 0
    prune_bytes: int = 0
    stop_bytes: int = 0
    reserve_bytes: int = 0
    """Allocated beforehand, and given back for the record that says that the disk is full."""

    def stage(self, free_bytes: int) -> DiskStage:
        """What so much room calls for."""
        if free_bytes < self.stop_bytes:
            return DiskStage.STOP
        if free_bytes < self.prune_bytes:
            return DiskStage.PRUNE
        return DiskStage.WARN if free_bytes < self.warn_bytes else DiskStage.OK

    @property
    def resume_bytes(self) -> int:
        """From how much room on it is written again.

        More than it stops at, since giving the reserve back makes room, and taking it again less:
        a ledger on the edge would stop and resume for ever.
        """
        return self.stop_bytes + 2 * self.reserve_bytes


def free_bytes(directory: str) -> int:
    """What a user other than root can still write on the file system of `directory`."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


class Reserve:
    """A file that takes room, so that there is some to give back."""

    def __init__(self, directory: str, size_bytes: int) -> None:
        self._path = os.path.join(directory, layout.RESERVE_NAME)
        self._size_bytes = size_bytes

    def hold(self) -> None:
        """Take the room, if it is not taken.

        Raises:
            OSError: there is none; nothing is taken then.
        """
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self._path, follow_symlinks=False)
            if status.st_size == self._size_bytes <= status.st_blocks * 512:
                return
        self.release()
        if not self._size_bytes:
            return
        descriptor = files.new_file(self._path, layout.FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        except OSError:
            os.unlink(self._path)
            raise
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Give the room back."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
