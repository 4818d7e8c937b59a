"""The outcome of a verification for people."""

from __future__ import annotations

from collections.abc import Iterator

from nsledger.report.screen import Screen
from nsledger.report.text import visible
from nsledger.report.tone import Tone, paint
from nsledger.report.verification import Damaged, Verification


def draw(found: Verification, screen: Screen) -> Iterator[str]:
    """The verdict, then what it rests on."""
    verdict = paint("sound", Tone.GOOD, color=screen.color)
    if found.damage is not None:
        verdict = paint(f"damaged {_where(found.damage)}", Tone.HOST, color=screen.color)
    yield f"{visible(found.ledger)}: {verdict}"
    if found.damage is not None:
        yield from _damage(found.damage)
    yield _trusted(found)
    if found.signed_through:
        yield f"  signed   entry {found.signed_through} and all before it, by a checkpoint"
    if found.head is not None and found.head.seq:
        yield f"  head     {found.head.seq} {found.head.digest}"
    if found.first_seq > 1:
        yield f"  note     begins at entry {found.first_seq}: what came before is not here"
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
