"""An answer on standard output in the form that was asked for: drawn for people, or structured."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Literal, assert_never

from nsledger.render.json_yaml import to_json, to_yaml
from nsledger.render.text import Screen

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


def write_answer(
    answer: object,
    output: Literal["text", "table", "wide", "json", "yaml"],
    draw: Callable[[], Iterable[str]],
) -> None:
    """Write `answer`; `draw` makes the lines that people are shown, and is called for them only."""
    match output:
        case "text" | "table" | "wide":
            write_lines(draw())
        case "json":
            sys.stdout.write(to_json(answer))
        case "yaml":
            sys.stdout.write(to_yaml(answer))
        case _:
            assert_never(output)


def write_whole(path: str, text: str) -> None:
    """Write `text` to `path`, in UTF-8 whatever the locale is; `-` is standard output.

    What is no regular file, such as a FIFO, is written into.

    Raises:
        OSError: it cannot be written; a file that was there is as it was.
    """
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        return
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    place = os.path.realpath(path)  # a link stays, and leads to what is new
    descriptor, unfinished = _beside(place)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), _mode(place))
        os.replace(unfinished, place)
    except BaseException:
        os.unlink(unfinished)
        raise


def _beside(place: str) -> tuple[int, str]:
    directory, name = os.path.split(place)
    try:
        return tempfile.mkstemp(dir=directory, prefix=f".{name[:64]}.")
    except OSError as error:
        error.filename = place  # the one that the user knows of
        raise


def _mode(place: str) -> int:
    """That of the file which is replaced; of a new one, as the umask has it."""
    try:
        return os.stat(place).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
