"""Which colour says what: the eight of every terminal, so that its theme decides the shade."""

from __future__ import annotations

import enum
from typing import Final

RESET: Final = "\x1b[0m"


class Tone(enum.Enum):
    """What a piece of text means; its value is the parameter of SGR (ECMA-48, 8.3.117)."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    HOST = "1;31"
    """The host's namespaces, which are a warning, and nothing else is red but what failed."""
    FAILED = "31"
    MISMATCH = "1;30;43"
    """On one cell; where it is a whole line, `ALARM`."""
    ALARM = "1;33"
    WARNING = "33"
    GOOD = "32"
    ASKED = "36"
    ASSIGNED = "34"
    SEEN = "35"


GROUPS: Final = ("36", "32", "35", "34", "33", "96", "92", "95", "94", "93")
"""One for each group of cells that share a namespace; none of them is red."""


def paint(text: str, tone: Tone | str, *, color: bool) -> str:
    """`text` in the colour of `tone`, if there is colour."""
    sgr = tone.value if isinstance(tone, Tone) else tone
    return f"\x1b[{sgr}m{text}{RESET}" if color and sgr and text else text
