"""The outcome of a verification as values, for programs."""

from __future__ import annotations

from typing import Self

import msgspec

from nsledger.ledger.chain import Head
from nsledger.ledger.damage import LedgerDamagedError
from nsledger.ledger.verify import Verified


class Damaged(msgspec.Struct, frozen=True, kw_only=True):
    """The first entry that is not what was written."""

    kind: str
    """`not_an_entry`, `missing`, `repeated`, `broken_link`, `rewritten`, `truncated`, `foreign`."""
    seq: int
    through_seq: int | None
    """The first bad entry is one of `seq` to this: where only a checkpoint tells; else null."""
    path: str
    line_number: int
    """In `path`, from 1; 0 where it is about no line."""
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
    signed_through: int | None
    """The newest entry that a checkpoint vouches for, 0 for none; null if none were given."""
    damage: Damaged | None

    @classmethod
    def of_sound(cls, ledger: str, verified: Verified, *, signed: bool = False) -> Self:
        """Of a walk that came to the end; `signed` if it was held against checkpoints."""
        return cls(
            ledger=ledger,
            sound=True,
            first_seq=verified.before.seq + 1,
            trusted_through=verified.head.seq,
            head=verified.head,
            unfinished_bytes=verified.unfinished_bytes,
            signed_through=verified.signed_through if signed else None,
            damage=None,
        )

    @classmethod
    def of_damaged(
        cls, ledger: str, error: LedgerDamagedError, *, before: Head, signed: bool = False
    ) -> Self:
        """Of a walk that ended at damage; `signed` if it was held against checkpoints."""
        return cls(
            ledger=ledger,
            sound=False,
            first_seq=before.seq + 1,
            trusted_through=error.sound_through,
            head=None,
            unfinished_bytes=0,
            signed_through=error.signed_through if signed else None,
            damage=Damaged(
                kind=error.damage,
                seq=error.seq,
                through_seq=error.through_seq,
                path=error.path,
                line_number=error.line_number,
                detail=error.detail,
            ),
        )
