"""Whether an index is as its builder left it: it is no witness, and nobody else may write it.

SQLite would read rows that another program took out or put in as if they were ours, and an answer
"no record" would hang on them. So whoever wrote an index last notes beside it what stat(2) says of
its files. Any later write changes their times or sizes, and root cannot set a ctime back. SQLite's
log is hashed instead: a reader who is root chowns it each time, which changes its ctime. Who finds
something else than was noted does not believe the index: it is built anew from the ledger.

What an index tells is checked in the ledger anyway, entry by entry; this is about what it leaves
out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import Final

import msgspec

from nsledger.errors import NsledgerError

_FILES: Final = ("", "-wal")
_MODE: Final = 0o640
_WAIT_S: Final = 0.02
_LOOKS: Final = 25
"""Between a commit and its seal the builder needs a millisecond."""


class IndexAlteredError(NsledgerError):
    """An index that somebody else than its builder wrote."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: found it changed by another program, needed it as it was built")
        self.path = path


class _File(msgspec.Struct, frozen=True):
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0
    digest: str = ""


def seal(path: str) -> None:
    """Note that the index at `path` is as its builder left it.

    Raises:
        OSError: that cannot be written.
    """
    unfinished = f"{path}.seal.new"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        os.write(descriptor, msgspec.json.encode(_look(path)))
    finally:
        os.close(descriptor)
    os.rename(unfinished, f"{path}.seal")


def is_sealed(path: str) -> bool:
    """Whether nobody but its builder wrote the index at `path`, by what is there at this moment."""
    try:
        with open(f"{path}.seal", "rb") as file:
            noted = msgspec.json.decode(file.read(), type=dict[str, _File | None])
        return noted == _look(path)
    except (OSError, msgspec.DecodeError):
        return False


def wait_until_sealed(path: str) -> bool:
    """As `is_sealed`, for a reader whose look may fall between a commit and its seal."""
    for _ in range(_LOOKS):
        if is_sealed(path):
            return True
        if not os.path.exists(f"{path}.seal"):
            return False
        time.sleep(_WAIT_S)
    return False


def unseal(path: str) -> None:
    """The index is gone, or is about to be."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.seal")


def _look(path: str) -> dict[str, _File | None]:
    """What there is of the index: an empty log is as good as none.

    Raises:
        OSError: it cannot be looked at.
    """
    found: dict[str, _File | None] = {}
    for suffix in _FILES:
        try:
            status = os.stat(path + suffix)
        except FileNotFoundError:
            found[suffix] = None
            continue
        if not suffix:
            found[suffix] = _File(
                status.st_ino, status.st_size, status.st_mtime_ns, ctime_ns=status.st_ctime_ns
            )
        elif status.st_size:
            with open(path + suffix, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[suffix] = _File(status.st_ino, status.st_size, status.st_mtime_ns, digest=digest)
        else:
            found[suffix] = None
    return found
