"""Whether the segment being written is still where it was, and what can be done if it is not.

Only a process with the writer's rights can remove, replace, cut or extend it, by mistake (a log
rotation, a clean-up job) or not. The file that is open keeps its bytes without a name, so that a
segment which lost its name gets it back with every entry.

Source: unlink(2); stat(2), `st_ino`.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Final

from nsledger.ledger import files, layout
from nsledger.model.events import Alteration

_PIECE_BYTES: Final = 1 << 20
_EVIDENCE_BYTES: Final = 1 << 20
"""How much of what someone wrote behind our last entry is kept."""


@dataclass(frozen=True, slots=True)
class Altered:
    """What was found, and what became of it."""

    alteration: Alteration
    segment: str
    at_seq: int
    """The last entry that was in it."""
    kept_as: str = ""


class SegmentGuard:
    """Watches one segment."""

    def __init__(self, directory: str, name: str, descriptor: int) -> None:
        self.name = name
        self.path = os.path.join(directory, name)
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self._identity = status.st_dev, status.st_ino

    def check_fd(self, size_bytes: int) -> Alteration | None:
        """What happened to the segment, as far as the open file tells: one fstat(2).

        A file that was moved to another name, or has a second one, loses nothing and shows nothing
        here; `look` sees it.
        """
        status = os.fstat(self._descriptor)
        if status.st_nlink == 1 and status.st_size == size_bytes:
            return None
        return self.check_path(size_bytes)

    def check_path(self, size_bytes: int) -> Alteration | None:
        """What happened to the segment, which we left `size_bytes` long: one stat(2)."""
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return Alteration.REMOVED
        if (status.st_dev, status.st_ino) != self._identity:
            return Alteration.REPLACED
        if status.st_size < size_bytes:
            return Alteration.TRUNCATED
        return Alteration.EXTENDED if status.st_size > size_bytes else None


def put_back(path: str, descriptor: int, size_bytes: int, foreign: str) -> tuple[int, str]:
    """Make `path` name the content of `descriptor` again, durably: the new file, opened.

    Whatever else has the name by now is renamed to `foreign`; the second of what is returned is
    that name, or empty.

    Raises:
        OSError: it does not; try again.
    """
    unfinished = path + layout.UNFINISHED_SUFFIX
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    copy = files.new_file(unfinished, layout.FILE_MODE)
    try:
        for offset in range(0, size_bytes, _PIECE_BYTES):
            wanted = min(_PIECE_BYTES, size_bytes - offset)
            files.write_at(copy, files.read_at(descriptor, wanted, offset), offset)
        os.fsync(copy)
        kept_as = foreign
        try:
            os.rename(path, os.path.join(os.path.dirname(path), foreign))
        except FileNotFoundError:
            kept_as = ""
        os.rename(unfinished, path)
        files.sync_directory(os.path.dirname(path))
    except OSError:
        os.close(copy)
        raise
    return copy, kept_as


def extra_bytes(descriptor: int, size_bytes: int) -> bytes:
    """The beginning of what stands behind our last entry."""
    return files.read_at(descriptor, _EVIDENCE_BYTES, size_bytes)
