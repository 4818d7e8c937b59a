"""An answer on standard output in the form that was asked for: drawn for people, or structured."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable
from datetime import UTC
from typing import Final, Literal, TextIO, assert_never

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


# Long output on a terminal goes through a pager, as git and journalctl do it.
#
# What fits the screen is written as it is. `flush` says that somebody waits for what there is: from
# then on nothing is held back, so that `log --follow` and `pods --watch` show each line at once.

PAGED: Final = frozenset(
    {
        "doctor",
        "explain",
        "findings",
        "log",
        "orphans",
        "pods",
        "schema",
        "show",
        "sql",
        "status",
        "tree",
        "verify",
        "whois",
    }
)
"""Commands whose output people read."""


@contextlib.contextmanager
def paged(command: str | None) -> Generator[None]:
    """Have what is written to standard output paged if it is too long for the terminal."""
    real = sys.stdout
    program = _program() if command in PAGED and real.isatty() else []
    if not program:
        yield
        return
    output = _PagedOutput(real, program, rows=shutil.get_terminal_size().lines)
    sys.stdout = output
    try:
        yield
    finally:
        sys.stdout = real
        output.finish()


def _program() -> list[str]:
    """NSLEDGER_PAGER, PAGER, or less; nothing where that is empty or `cat`, or there is none."""
    chosen = os.environ.get("NSLEDGER_PAGER", os.environ.get("PAGER", "less"))
    try:
        words = shlex.split(chosen)
    except ValueError:
        return []
    if not words or words[0] == "cat" or os.environ.get("TERM") == "dumb":
        return []
    return words if shutil.which(words[0]) else []


class _PagedOutput(io.TextIOBase):
    """Holds as much as a screen has; what is longer goes to the pager."""

    def __init__(self, real: TextIO, program: list[str], *, rows: int) -> None:
        self._real = real
        self._program = program
        self._rows = rows
        self._held: list[str] = []
        self._lines = 0
        self._pager: subprocess.Popen[str] | None = None
        self._through = False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed: a plain attribute
        return self._real.encoding

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._real.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if self._through:
            return self._real.write(text)
        if self._pager is not None and self._pager.stdin is not None:
            return self._pager.stdin.write(text)
        self._held.append(text)
        self._lines += text.count("\n")
        if self._lines >= self._rows:
            self._begin()
        return len(text)

    def flush(self) -> None:
        if self._pager is None:
            self._let_go()
            self._real.flush()

    def finish(self) -> None:
        """Show what is held, or wait until the reader has closed the pager."""
        if self._pager is None:
            self._let_go()
            return
        # Ctrl-C is the pager's now: it stops a search in it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with contextlib.suppress(BrokenPipeError):
                self._pager.communicate()
        finally:
            signal.signal(signal.SIGINT, before)

    def _begin(self) -> None:
        try:
            self._pager = subprocess.Popen(
                self._program,
                stdin=subprocess.PIPE,
                text=True,
                encoding=self._real.encoding,
                errors="backslashreplace",
                env={"LESS": "FRX", **os.environ},
            )
        except OSError:
            self._let_go()
            return
        held, self._held = self._held, []
        if self._pager.stdin is not None:
            self._pager.stdin.writelines(held)

    def _let_go(self) -> None:
        self._through = True
        held, self._held = self._held, []
        self._real.writelines(held)
