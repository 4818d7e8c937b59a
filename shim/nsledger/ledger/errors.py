"""What the ledger raises: one class per decision a caller makes."""

from __future__ import annotations

from nsledger.errors import NsledgerError


class LedgerError(NsledgerError):
    """The root of what the ledger raises itself; a failing disk is an `OSError`."""


class LedgerLockedError(LedgerError):
    """Another process writes this ledger. It may end soon, so trying again makes sense."""

    hint = "Only one `nsledger serve` may write a ledger; `fuser` on its lock file names it."

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: locked by another process, needed for the one writer")
        self.path = path


class LedgerUnusableError(LedgerError):
    """The end of the ledger holds nothing that a writer could go on from."""

    hint = "Keep the directory as evidence under another name; a new ledger begins in its place."

    def __init__(self, *, path: str, looked_at_bytes: int) -> None:
        super().__init__(
            f"{path}: found no entry in the last {looked_at_bytes} bytes, needed one to go on from"
        )
        self.path, self.looked_at_bytes = path, looked_at_bytes


class SyncBehindError(LedgerError):
    """The disk takes so long to sync that no more may be unsynced. Try again."""

    def __init__(self, *, unsynced_bytes: int) -> None:
        super().__init__(f"{unsynced_bytes} bytes are unsynced, needed the disk to catch up")
        self.unsynced_bytes = unsynced_bytes


class NotARecordError(LedgerError):
    """Bytes that cannot become one line of the ledger. Nothing was written."""

    def __init__(self, *, index: int, reason: str) -> None:
        super().__init__(f"record {index} of the batch: {reason}")
        self.index, self.reason = index, reason


class NotAnEntryError(LedgerError):
    """A line of a segment that is no entry."""

    hint = "`nsledger verify` tells where the ledger was damaged and what is still sound."

    def __init__(self, *, line: bytes, reason: str) -> None:
        super().__init__(f"{reason}: found {line[:60]!r}")
        self.reason = reason
