"""The table of docs/beliefs.md: what people believe and what was measured, from the tests.

Each test of `test_effects.py` that stands for a row says so; `tests/unit/test_readme.py` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., None])

FIRST: Final = "containerd 1.6.20, runc 1.1.5, crun 1.8.1"
SECOND: Final = "containerd 2.1.9, runc 1.3.6, crun 1.28"
"""What the tests ran on when the table was last written."""
_YES: Final = "yes"
_MARK: Final = "belief"


@dataclass(frozen=True, slots=True)
class Belief:
    """One row."""

    type_: str
    believed: str
    measured: str
    first: str
    """`yes`, or why the first generation could not show it."""


def belief(
    type_: str, believed: str, measured: str, *, first: str = _YES
) -> Callable[[Test], Test]:
    """Say which row of the table a test stands for."""

    def mark(test: Test) -> Test:
        test.__dict__[_MARK] = Belief(type_, believed, measured, first)
        return test

    return mark


def beliefs_of(module: object) -> list[Belief]:
    """The rows that the tests of a module stand for, in their order."""
    return [
        value.__dict__[_MARK]
        for value in vars(module).values()
        if isinstance(value, FunctionType) and _MARK in value.__dict__
    ]


def table(beliefs: Iterable[Belief]) -> str:
    """The rows in Markdown."""
    lines = [
        f"| type | what people believe | what we measured | {FIRST} | {SECOND} |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.type_} | {one.believed} | {one.measured} | {one.first} | {_YES} |"
        for one in beliefs
    ]
    return "\n".join(lines) + "\n"
