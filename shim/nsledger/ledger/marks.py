"""What checkpoints say that a ledger must hold: hashes at some of its entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from nsledger.ledger.chain import Head
from nsledger.ledger.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry that must be there."""

    head: Head
    time: str
    """When that was signed: RFC 3339, by the node's clock."""


@dataclass(frozen=True, slots=True)
class Marks:
    """All of them, in the ledger's order. Their signatures were checked before."""

    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(cls, checkpoints: Iterable[Checkpoint]) -> Self:
        """What `checkpoints` say; several may speak of one entry."""
        found = {Mark(head=one.head, time=one.time) for one in checkpoints}
        return cls(tuple(sorted(found, key=lambda mark: (mark.head.seq, mark.time))))

    def within(self, after_seq: int, through_seq: int | None) -> Self:
        """Those of entries behind `after_seq`, up to `through_seq` or without end."""
        return type(self)(
            tuple(
                mark
                for mark in self.marks
                if after_seq < mark.head.seq
                and (through_seq is None or mark.head.seq <= through_seq)
            )
        )
