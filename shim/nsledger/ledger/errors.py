"""What the ledger raises: one class per decision a caller makes."""

from __future__ import annotations

import enum

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


class Damage(enum.StrEnum):
    """In which way a ledger is not what was written."""

    NOT_AN_ENTRY = "not_an_entry"
    """The line is not JSON that opens with `seq` and `prev`, or ends too early."""
    MISSING = "missing"
    """A later entry stands in its place, or the ledger begins with one and no record says why: it
    was taken out, or put behind."""
    REPEATED = "repeated"
    """An entry number that was there already stands in its place: copied, put in, or put before."""
    BROKEN_LINK = "broken_link"
    """It has the right number, and its `prev` is not the hash of the line before it: one of the
    two was changed or exchanged."""
    REWRITTEN = "rewritten"
    """All entries follow one another, but not to the entry that a checkpoint signed: some up to
    there were changed, and hashed again."""
    TRUNCATED = "truncated"
    """The ledger ends before an entry that a checkpoint signed: cut off, or an older copy."""
    FOREIGN = "foreign"
    """A checkpoint is of another ledger than this one: it was put in its place."""


class LedgerDamagedError(LedgerError):
    """An entry is not the one that was written there; nothing is said about later ones."""

    hint = "Keep the directory as evidence; what comes before the damage can still be read."

    def __init__(
        self,
        *,
        damage: Damage,
        seq: int,
        path: str,
        line_number: int,
        detail: str,
        through_seq: int | None = None,
        signed_through: int = 0,
    ) -> None:
        range_ = f"entry {seq}" if through_seq is None else f"entries {seq} to {through_seq}"
        place = f"{path}:{line_number}" if line_number else path
        super().__init__(f"{range_} ({place}): {damage}: {detail}")
        self.damage = damage
        self.detail = detail
        self.seq = seq
        """The first entry that is not where it must be, or does not follow."""
        self.path = path
        self.line_number = line_number
        """In `path`, from 1, as `sed -n` counts; 0 where it is about no line."""
        self.through_seq = through_seq
        """Where the chain does not tell which: the first bad entry is one of `seq` to this."""
        self.signed_through = signed_through
        """The newest entry below the damage that a checkpoint vouches for; 0 without any."""

    @property
    def sound_through(self) -> int:
        """The last entry that can be relied on.

        Where a link broke, `seq - 2`: what broke may be the entry before it, which only that link
        vouched for. Where a checkpoint convicts, what follows the last good one is worth nothing:
        its hashes are right, and anybody can make such.
        """
        match self.damage:
            case Damage.REWRITTEN | Damage.TRUNCATED | Damage.FOREIGN:
                return self.signed_through
            case Damage.NOT_AN_ENTRY | Damage.MISSING | Damage.REPEATED | Damage.BROKEN_LINK:
                return max(0, self.seq - 2, self.signed_through)
