"""What to do when a ledger cannot be read: said by its readers, since other files fail too."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_NOT_YOURS: Final = "The ledger belongs to root: try again with sudo."
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
        if hint is not None and error.filename is not None:
            error.add_note(hint)
        raise
