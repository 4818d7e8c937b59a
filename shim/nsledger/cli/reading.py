"""What to do when a ledger cannot be read: said by its readers, since other files fail too."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_NOT_YOURS: Final = "The ledger belongs to root: try again with sudo."
_NO_CHECKPOINTS: Final = (
    "`nsledger keygen` makes the keys; from its next start on `nsledger serve` writes them to "
    "its checkpoint_file."
)
_HINTS: Final = {
    errno.ENOENT: (
        "`nsledger serve` writes the ledger of this node; to read a copy, give --ledger PATH or "
        "set NSLEDGER_LEDGER."
    ),
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.ELOOP: "A segment that is a symbolic link is not followed: give the real directory.",
}


@contextmanager
def reading_a_ledger() -> Generator[None]:
    """Add what to do as a note to an error of the system that is about a file."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        told = hasattr(error, "__notes__")  # by who knows which file it was
        if hint is not None and error.filename is not None and not told:
            error.add_note(hint)
        raise


@contextmanager
def reading_checkpoints() -> Generator[None]:
    """The same where checkpoints and their key are read."""
    try:
        yield
    except FileNotFoundError as error:
        error.add_note(_NO_CHECKPOINTS)
        raise
