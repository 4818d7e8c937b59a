"""The outcome of a verification as values, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import msgspec

from nsledger.ledger.errors import LedgerDamagedError
from nsledger.ledger.line import Head
from nsledger.ledger.verify import Verified
from nsledger.render.text import Screen, Tone, paint, visible


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


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that the ledger itself says something of."""

    said_by_seq: int
    """The record that says it."""
    from_seq: int
    through_seq: int
    """Of what was moved aside, the last that stood whole; less than `from_seq` if none did."""
    kept_as: str = ""
    """The file, in the ledger's directory, that has what was moved aside."""
    size_bytes: int = 0
    """Of that file."""


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
    anchored: bool = False
    """Whether something outside the ledger vouches for its end: a checkpoint of its last entry, or
    of one before. Without, it is consistent, and a cut at its end would not show."""
    unattested: tuple[Span, ...] = ()
    """Entries that a daemon found at its start and that no checkpoint of before vouches for: of one
    that was killed, or anybody's (`ledger.unattested`)."""
    moved_aside: tuple[Span, ...] = ()
    """What was taken out of the ledger as torn (`ledger.recovered`)."""

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
            anchored=signed and verified.signed_through > 0,
            unattested=tuple(
                Span(said_by_seq=note.seq, from_seq=note.from_seq, through_seq=note.through_seq)
                for note in verified.notes
                if note.event == "ledger.unattested"
            ),
            moved_aside=tuple(
                Span(
                    said_by_seq=note.seq,
                    from_seq=note.from_seq,
                    through_seq=note.through_seq,
                    kept_as=note.kept_as,
                    size_bytes=note.torn_bytes,
                )
                for note in verified.notes
                if note.event == "ledger.recovered"
            ),
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


def draw(found: Verification, screen: Screen) -> Iterator[str]:
    """The verdict, then what it rests on."""
    lost = any(span.through_seq >= max(1, span.from_seq) for span in found.moved_aside)
    word, tone = (
        ("sound, without what was moved aside", Tone.WARNING) if lost else ("sound", Tone.GOOD)
    )
    verdict = paint(word, tone, color=screen.color)
    if found.damage is not None:
        verdict = paint(f"damaged {_where(found.damage)}", Tone.HOST, color=screen.color)
    yield f"{visible(found.ledger)}: {verdict}"
    if found.damage is not None:
        yield from _damage(found.damage)
    yield _trusted(found)
    if found.signed_through:
        yield f"  signed   entry {found.signed_through} and all before it, by a checkpoint"
    elif found.head is not None and found.head.seq:
        yield "  anchor   consistent, not anchored: a cut at the end would not show"
    if found.head is not None and found.head.seq:
        yield f"  head     {found.head.seq} {found.head.digest}"
    if found.first_seq > 1:
        yield f"  note     begins at entry {found.first_seq}: what came before is not here"
    for span in found.unattested:
        yield (
            f"  note     nobody vouches for entries {span.from_seq} to {span.through_seq}: "
            f"record {span.said_by_seq}"
        )
    for span in found.moved_aside:
        entries = (
            f", entries {span.from_seq} to {span.through_seq},"
            if span.through_seq >= max(1, span.from_seq)
            else ""
        )
        yield visible(
            f"  note     {span.size_bytes} bytes{entries} were moved aside as {span.kept_as}: "
            f"record {span.said_by_seq}"
        )
    if found.unfinished_bytes:
        yield f"  note     {found.unfinished_bytes} bytes of an unfinished line at the end"


def _where(damage: Damaged) -> str:
    if damage.kind in {"truncated", "foreign"}:
        return f"from entry {damage.seq} on"
    if damage.through_seq is not None and damage.through_seq > damage.seq:
        return f"at one of the entries {damage.seq} to {damage.through_seq}"
    return f"at entry {damage.seq}"


def _damage(damage: Damaged) -> Iterator[str]:
    yield f"  kind     {damage.kind}"
    line = f", line {damage.line_number}" if damage.line_number else ""
    yield visible(f"  where    {damage.path}{line}")
    yield visible(f"  detail   {damage.detail}")


def _trusted(found: Verification) -> str:
    first, last = found.first_seq, found.trusted_through
    if found.sound:
        return f"  entries  {first} to {last}" if last >= first else "  entries  none yet"
    if last < first:
        return "  trusted  no entry"
    return f"  trusted  entries {first} to {last}; nothing is said of later ones"
