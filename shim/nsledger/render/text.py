"""Text that others chose, made harmless and made to fit.

A pod's name comes from whoever may create pods, and a terminal obeys control characters: nothing
reaches one that `str.isprintable` does not vouch for. JSON and YAML carry the characters
themselves, escaped.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

_PERHAPS_WIDE: Final = re.compile(r"[^\x20-\x7e\u25b2\u2260\u2026\u203a]").search
"""All but ASCII and this program's own signs."""
_WIDE: Final = frozenset({"W", "F"})
"""Of East Asian width (UAX #11): two columns of a terminal."""
_INVISIBLE: Final = re.compile(r"[^\x20-\x7e]")


def visible(text: str) -> str:
    r"""`text` with each character that is not printable written as `\x1b`, `\u202e`, `\n`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def inert_json(text: str) -> str:
    r"""JSON with the same meaning, in which no character can steer a terminal.

    JSON itself escapes U+0000 to U+001F only, not DEL, C1 (U+009B begins an escape sequence) or the
    marks that turn the direction of writing.
    """
    if text.isascii() and "\x7f" not in text:
        return text
    return _INVISIBLE.sub(_json_escaped, text)


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """The beginning of `text` in at most `width` columns; an ellipsis says that there is more."""
    if columns(text) <= width:
        return text
    return _head(text, width - len(ellipsis)) + ellipsis if width > len(ellipsis) else ellipsis


def shorten_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """Both ends of `text` in at most `width` columns: generated names differ at the end."""
    if columns(text) <= width:
        return text
    room = width - len(ellipsis)
    if room < 2:  # noqa: PLR2004 - one character from either end
        return ellipsis
    tail = _head(text[-(room // 2) :][::-1], room // 2)[::-1]
    return _head(text, room - columns(tail)) + ellipsis + tail


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 segment`, `2 segments`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def cite(records: Iterable[int]) -> str:
    """`record 412` or `records 412, 415`; empty if there are none."""
    numbers = [str(seq) for seq in records]
    return f"record{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""


def pad(text: str, width: int) -> str:
    """`text` and spaces up to `width` columns."""
    return text + " " * (width - columns(text))


def columns(text: str) -> int:
    """How many columns `text` takes at most; a character that combines counts as one."""
    if _PERHAPS_WIDE(text) is None:
        return len(text)
    return sum(2 if unicodedata.east_asian_width(one) in _WIDE else 1 for one in text)


def _head(text: str, width: int) -> str:
    """As much of the beginning as fits into `width` columns."""
    text = text[:width]
    while columns(text) > width:
        text = text[:-1]
    return text


def _escaped(character: str) -> str:
    number = ord(character)
    match character:
        case "\n":
            return r"\n"
        case "\t":
            return r"\t"
        case "\r":
            return r"\r"
        case _ if number < 0x100:  # noqa: PLR2004 - the last that has two digits
            return f"\\x{number:02x}"
        case _ if number < 0x10000:  # noqa: PLR2004 - the last that has four
            return f"\\u{number:04x}"
        case _:
            return f"\\U{number:08x}"


def _json_escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable() or character == "\n":
        return character
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


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


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the text goes."""

    width: int | None = None
    """Columns of the terminal; None where lines may be as long as they are."""
    color: bool = False
    unicode: bool = True
    """Whether signs and lines beyond ASCII can be shown."""
    zone: tzinfo | None = UTC
    """In which times are shown; None is the local one."""

    @property
    def host_sign(self) -> str:
        """Stands before what is the host's, readable without colour."""
        return "▲" if self.unicode else "!"

    @property
    def mismatch_sign(self) -> str:
        """Stands where layers disagree."""
        return "≠" if self.unicode else "#"

    @property
    def arrow(self) -> str:
        """Stands between a pod and what is in it."""
        return " \u203a " if self.unicode else " > "

    @property
    def ellipsis(self) -> str:
        """Stands for what was cut off."""
        return "…" if self.unicode else "~"
