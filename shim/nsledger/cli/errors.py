"""How a command fails: one message on standard error, what to do about it, and the exit status."""

from __future__ import annotations

import os
import sys

from nsledger.cli import exit_codes
from nsledger.errors import NsledgerError, WrongUsageError
from nsledger.render.text import Tone, paint, visible


def exit_code(error: NsledgerError | OSError) -> int:
    """The exit status of a command that ended with `error`."""
    if isinstance(error, WrongUsageError):
        return exit_codes.USAGE
    if isinstance(error, NsledgerError) and error.exit_status is not None:
        return error.exit_status
    return exit_codes.NO_ANSWER


def report(error: NsledgerError | OSError) -> None:
    """Say on standard error what was found, what was needed, and what to do."""
    message, hints = str(error), list[str]()
    if isinstance(error, OSError):
        place = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        message = f"{place}{error.strerror or error}"
    elif error.hint:
        hints.append(error.hint)
    hints += getattr(error, "__notes__", ())
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    lines = [f"{paint('nsledger:', Tone.FAILED, color=color)} {visible(message)}"]
    if isinstance(error, WrongUsageError):
        lines += [f"  {visible(detail)}" for detail in error.details]
    lines += [f"{paint('hint:', Tone.STRONG, color=color)} {visible(hint)}" for hint in hints]
    sys.stderr.writelines(f"{line}\n" for line in lines)
