"""How a command fails: one message on standard error, what to do about it, and the exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

from nsledger.cli import exit_codes
from nsledger.errors import NsledgerError
from nsledger.report.text import visible
from nsledger.report.tone import Tone, paint

_HINTS: Final = {
    errno.ENOENT: (
        "`nsledger serve` writes the ledger of this node; to read a copy, give --ledger PATH or "
        "set NSLEDGER_LEDGER."
    ),
    errno.EACCES: "The ledger belongs to root: try again with sudo.",
    errno.EPERM: "The ledger belongs to root: try again with sudo.",
    errno.ELOOP: "A segment that is a symbolic link is not followed: give the real directory.",
}


class WrongUsageError(NsledgerError):
    """What was asked for is not one thing; the command line has to change."""

    def __init__(self, message: str, *, details: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message)
        self.details = details
        """Lines of their own below the message."""
        self.hint = hint


def exit_code(error: NsledgerError | OSError) -> int:
    """The exit status of a command that ended with `error`."""
    return exit_codes.USAGE if isinstance(error, WrongUsageError) else exit_codes.NO_ANSWER


def report(error: NsledgerError | OSError) -> None:
    """Say on standard error what was found, what was needed, and what to do."""
    if isinstance(error, OSError):
        place = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        message = f"{place}{error.strerror or error}"
        hint = _HINTS.get(error.errno or 0, "")
    else:
        message, hint = str(error), error.hint
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    lines = [f"{paint('nsledger:', Tone.FAILED, color=color)} {visible(message)}"]
    if isinstance(error, WrongUsageError):
        lines += [f"  {visible(detail)}" for detail in error.details]
    if hint:
        lines.append(f"{paint('hint:', Tone.STRONG, color=color)} {hint}")
    sys.stderr.writelines(f"{line}\n" for line in lines)
