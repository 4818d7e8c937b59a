"""What has to be waited for until entries survive a power cut, while the writer goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass

from nsledger.ledger import files
from nsledger.ledger.chain import Head


@dataclass(frozen=True, slots=True)
class PendingSync:
    """A sync that was begun: `run` it on any thread, then tell the writer by `end_sync`."""

    descriptor: int
    """Of the segment, its own."""
    new_name_in: str | None
    """The directory, as long as the segment's name may not be durable."""
    batches: int
    size_bytes: int
    head: Head
    """The last entry that will survive a power cut."""

    def run(self) -> None:
        """Wait for the disk, for as long as it takes.

        Raises:
            OSError: what was to be synced may be lost.
        """
        try:
            if self.new_name_in is not None:
                files.sync_directory(self.new_name_in)
            os.fdatasync(self.descriptor)
        finally:
            os.close(self.descriptor)
