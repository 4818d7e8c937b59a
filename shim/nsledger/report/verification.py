"""The outcome of a verification as values, for programs."""

from __future__ import annotations

from typing import Self

import msgspec

from nsledger.ledger.chain import Head
from nsledger.ledger.verify import LedgerDamagedError, Verified


class Damaged(msgspec.Struct, frozen=True, kw_only=True):
    """The first entry that does not follow the one before it."""

    kind: str
    """`not_an_entry`, `missing`, `repeated` or `broken_link`."""
    seq: int
    path: str
    line_number: int
    """In `path`, from 1."""
    detail: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What walking a ledger told."""

    ledger: str
    sound: bool
    first_seq: int
    """The first entry that was looked at; more than 1 for a later segment by itself."""
    trusted_through: int
    """The last entry that can be relied on; less than `first_seq` if none can."""
    head: Head | None
    """Where a sound ledger ends; keep it elsewhere to convict a later rewrite."""
    unfinished_bytes: int
    """Behind the last entry: a line being written just now, or torn by a crash."""
    damage: Damaged | None

    @classmethod
    def of_sound(cls, ledger: str, verified: Verified) -> Self:
        """Of a walk that came to the end."""
        return cls(
            ledger=ledger,
            sound=True,
            first_seq=verified.before.seq + 1,
            trusted_through=verified.head.seq,
            head=verified.head,
            unfinished_bytes=verified.unfinished_bytes,
            damage=None,
        )

    @classmethod
    def of_damaged(cls, ledger: str, error: LedgerDamagedError, *, before: Head) -> Self:
        """Of a walk that ended at damage."""
        return cls(
            ledger=ledger,
            sound=False,
            first_seq=before.seq + 1,
            trusted_through=error.sound_through,
            head=None,
            unfinished_bytes=0,
            damage=Damaged(
                kind=error.damage,
                seq=error.seq,
                path=error.path,
                line_number=error.line_number,
                detail=error.detail,
            ),
        )
