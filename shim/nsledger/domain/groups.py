"""Which cells of a matrix are one namespace: each such group gets a letter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_uppercase

from msgspec.structs import replace

from nsledger.domain.instant import unix_ns
from nsledger.domain.matrix import ORDER, Process
from nsledger.domain.namespaces import NEW, NamespaceType
from nsledger.domain.sharing import HOST


def grouped(rows: Sequence[Process]) -> list[Process]:
    """The same rows with a letter for each namespace that two or more of them are in."""
    letters = _letters()
    cells = [dict(row.namespaces) for row in rows]
    for type_ in ORDER:
        for at, row in enumerate(rows):
            if cells[at][type_].group or cells[at][type_].sharing == HOST:
                continue
            others = [
                other
                for other in range(at + 1, len(rows))
                if not cells[other][type_].group and in_one(type_, row, rows[other])
            ]
            if others:
                letter = next(letters)
                for member in (at, *others):
                    cells[member][type_] = replace(cells[member][type_], group=letter)
    return [replace(row, namespaces=of_row) for row, of_row in zip(rows, cells, strict=True)]


def in_one(type_: NamespaceType, one: Process, other: Process) -> bool:
    """Whether both are in one namespace, which their inodes tell only if both lived at once."""
    mine, theirs = one.namespaces[type_].actual, other.namespaces[type_].actual
    if mine is None or theirs is None or not mine.same_as(theirs):
        return False
    if mine.ns_id is not None and theirs.ns_id is not None:
        return True
    if _says_new(type_, max(one, other, key=_since)):
        return False
    return lived_at_once(one, other)


def lived_at_once(one: Process, other: Process) -> bool:
    """Whether there was a moment when both were, as far as the record tells."""
    return _before_end(one, other) and _before_end(other, one)


def _says_new(type_: NamespaceType, younger: Process) -> bool:
    """Whether it should have got one that nobody has, and nobody compared it with who lived then.

    Then its number may be that of one who ended in silence.
    """
    cell = younger.namespaces[type_]
    return cell.assigned == NEW and cell.verdict is None


def _since(process: Process) -> int:
    return unix_ns(process.since) if process.since else 0


def _before_end(one: Process, other: Process) -> bool:
    """Whether `one` began before `other` ended."""
    return not other.until or not one.since or unix_ns(one.since) < unix_ns(other.until)


def _letters() -> Iterator[str]:
    for length in range(1, 10):
        for letter in ascii_uppercase:
            yield letter * length
