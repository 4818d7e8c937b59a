"""What `nsledger doctor` found, for people: a line for each check, its remedy below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nsledger.render.text import Screen, Tone, paint, visible

_TONES: Final = {
    "ok": Tone.GOOD,
    "unknown": Tone.FAINT,
    "warning": Tone.HOST,
    "failed": Tone.FAILED,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One finding."""

    check: str
    result: str
    """`ok`, `unknown`, `warning` or `failed`."""
    evidence: str
    remedy: str


def draw(rows: Sequence[Row], screen: Screen) -> Iterator[str]:
    """Every finding, then how many there are of each kind.

    Lines may be longer than the screen: evidence that is cut off is none.
    """
    results = max((len(row.result) for row in rows), default=0)
    checks = max((len(row.check) for row in rows), default=0)
    for row in rows:
        result = paint(row.result, _TONES[row.result], color=screen.color)
        spaces = " " * (results - len(row.result))
        yield f"{result}{spaces}  {row.check:{checks}}  {visible(row.evidence)}"
        if row.remedy and row.result != "ok":
            yield f"{'':{results + checks + 2}}  {screen.arrow.strip()} {visible(row.remedy)}"
    counted = Counter(row.result for row in rows)
    yield ", ".join(f"{counted[result]} {result}" for result in _TONES if counted[result])
