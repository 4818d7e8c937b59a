"""What standard output is: a terminal or not, how wide, and what it can show."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC
from typing import Literal

from nsledger.report.screen import Screen

ColorChoice = Literal["auto", "always", "never"]


def screen(*, color: ColorChoice, utc: bool) -> Screen:
    """The screen that standard output is now; `COLUMNS` sets its width, terminal or not."""
    is_terminal = sys.stdout.isatty()
    width = None
    if is_terminal or os.environ.get("COLUMNS", "").isdecimal():
        width = shutil.get_terminal_size().columns
    return Screen(
        width=width,
        color=color == "always" or (color == "auto" and is_terminal and not _is_plain()),
        unicode=_shows("\u25b2\u2260\u2026\u203a"),
        zone=UTC if utc else None,
    )


def write_lines(lines: Iterable[str]) -> None:
    """Write `lines` to standard output, each with its newline."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _is_plain() -> bool:
    """Whether the user or the terminal wants no colour. Source: https://no-color.org."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _shows(signs: str) -> bool:
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
