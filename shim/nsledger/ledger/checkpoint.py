"""A checkpoint: where a ledger stood at a moment, signed. Pure; the signature is made elsewhere.

A copy kept off the node convicts a ledger that was cut, rolled back or rewritten before it. One
line of ASCII, six words and the signature, each behind one space, ended by a newline:

    nsledger-checkpoint-v1 LEDGER_ID SEQ HASH TIME KEY_ID SIGNATURE

LEDGER_ID  32 hexadecimal digits, of the record `ledger.created`
SEQ        number of the newest entry, decimal
HASH       SHA-256 of that entry's line with its newline, 64 hexadecimal digits
TIME       RFC 3339, UTC: when it was signed, by the node's clock
KEY_ID     the first 16 hexadecimal digits of SHA-256 of the public key's 32 bytes
SIGNATURE  Ed25519 (RFC 8032) in base64: of the bytes of the line before the last space

So what is signed needs no canonical form beside the line: `${line% *}` in a shell is the message.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from nsledger.ledger.errors import LedgerError
from nsledger.ledger.line import Head

FORMAT: Final = "nsledger-checkpoint-v1"
"""Each line's first word: a signature under it can be taken for nothing else."""
LINE_BYTES: Final = 320
"""A checkpoint is shorter."""

_LINE: Final = re.compile(
    rf"{FORMAT} ([0-9a-f]{{32}}) ([1-9][0-9]{{0,18}}) ([0-9a-f]{{64}})"
    r" ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}Z) ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n?",
    re.ASCII,
).fullmatch


class NotACheckpointError(LedgerError):
    """A line that is no checkpoint."""

    hint = "A checkpoint is a line that begins with `nsledger-checkpoint-v1`; copy it whole."

    def __init__(self, *, line: str) -> None:
        super().__init__(f"found {line[:60]!r}, needed a checkpoint")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """That the ledger `ledger_id` ended with `head` at `time`."""

    ledger_id: str
    head: Head
    time: str
    key_id: str
    signature: bytes = b""
    """64 bytes; empty until it is signed."""

    @classmethod
    def parse(cls, line: str) -> Self:
        """The checkpoint on `line`. Whether its signature is right is not looked at.

        Raises:
            NotACheckpointError: it is none.
        """
        found = _LINE(line)
        if found is None:
            raise NotACheckpointError(line=line)
        ledger_id, seq, digest, time, key_id, signature = found.groups()
        return cls(
            ledger_id=ledger_id,
            head=Head(seq=int(seq), digest=digest),
            time=time,
            key_id=key_id,
            signature=base64.b64decode(signature),
        )

    @property
    def statement(self) -> bytes:
        """What is signed: the line up to the space before the signature."""
        return (
            f"{FORMAT} {self.ledger_id} {self.head.seq} {self.head.digest}"
            f" {self.time} {self.key_id}"
        ).encode("ascii")

    @property
    def line(self) -> str:
        """As it is written, newline included."""
        return f"{self.statement.decode()} {base64.b64encode(self.signature).decode()}\n"


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
