"""The spool directory: what in it may be read, moved aside or removed, by name and never by path.

Everything in there may be hostile except its root-owned, private directory itself: a name, a
symbolic or hard link, a FIFO that would block, a device that would do something, a huge file.
Nothing but a private regular file of a trusted owner is opened.

Source: open(2), openat(2), flock(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections import Counter
from typing import Final, NamedTuple, Self

import msgspec

from nsledger.errors import NsledgerError


class RefusedError(NsledgerError):
    """Something in the spool directory that is no hook record."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"refused: {reason}")
        self.reason = reason
        """A word to count by."""


DIRECTORY_MODE: Final = 0o700
QUARANTINE_NAME: Final = "quarantine"
QUARANTINE_LIMIT: Final = 100
"""Files kept as evidence; past that the newcomer is removed, and counted all the same."""
MISSED_NAME: Final = "missed"
"""Where hooks note by one byte each that there was no room for their record (hooks/README.md)."""
COUNTED_NAME: Final = ".missed"
"""The same, put aside to be counted."""
MAX_FILE_BYTES: Final = 128 << 10
"""The hook's own limits add up to less. A longer file is not kept as evidence either, so that the
quarantine stays under 13 MiB."""
MAX_NAMES: Final = 10_000
"""Names looked at in one go, so that a flood costs bounded memory."""

RECORD_SUFFIX: Final = ".json"
_UNFINISHED_SUFFIX: Final = ".tmp"
_OURS: Final = frozenset({QUARANTINE_NAME, MISSED_NAME, COUNTED_NAME})
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_WRITABLE_BY_OTHERS: Final = 0o022


class Names(NamedTuple):
    """The names in a spool, each kind sorted."""

    records: list[str]
    unfinished: list[str]
    """What hooks have not finished, or never will."""
    strange: list[str]
    """Of what no hook leaves."""


class SpoolDirectory:
    """The directory, locked: two daemons never take in the same file."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

    @classmethod
    def open(cls, path: str) -> Self | None:
        """The directory at `path`, made if missing; None while another daemon has it.

        Raises:
            RefusedError: `unsafe_directory`: someone else could leave files in it.
            OSError: it cannot be made or opened.
        """
        with contextlib.suppress(FileExistsError):
            os.makedirs(path, DIRECTORY_MODE)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(os.close, descriptor)
            if not _private(os.fstat(descriptor)):
                raise RefusedError(reason="unsafe_directory")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            on_failure.pop_all()
        return cls(descriptor)

    def close(self) -> None:
        """Let another daemon in."""
        os.close(self._fd)

    def is_at(self, path: str) -> bool:
        """Whether `path` still leads to this directory, and not to one made in its place."""
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(path, follow_symlinks=False))
        except FileNotFoundError:
            return False

    def names(self) -> Names:
        """What lies in the directory, but for the quarantine and the count of what was missed."""
        found = Names([], [], [])
        with os.scandir(self._fd) as entries:
            for entry, _ in zip(entries, range(MAX_NAMES), strict=False):
                name = entry.name
                if name in _OURS:
                    continue
                if name.startswith("."):
                    unfinished = name.endswith(_UNFINISHED_SUFFIX)
                    (found.unfinished if unfinished else found.strange).append(name)
                else:
                    (found.records if name.endswith(RECORD_SUFFIX) else found.strange).append(name)
        for names in found:
            names.sort()
        return found

    def missed(self) -> int:
        """How many hooks noted since the last look but one that they found no room.

        A note that is being made just now is not to be lost between counting and removing: what is
        found is put aside, and counted at the next look.

        Raises:
            RefusedError: `COUNTED_NAME` is no hook's note.
            OSError: it cannot be counted.
        """
        count = 0
        with contextlib.suppress(FileNotFoundError):
            noted = os.stat(COUNTED_NAME, dir_fd=self._fd, follow_symlinks=False)
            _check(noted)
            os.unlink(COUNTED_NAME, dir_fd=self._fd)
            count = noted.st_size
        with contextlib.suppress(FileNotFoundError):
            os.rename(MISSED_NAME, COUNTED_NAME, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        return count

    def read(self, name: str) -> bytes:
        """What the file holds.

        Raises:
            RefusedError: `not_a_file`, `untrusted`, `linked` or `too_long`.
            OSError: it cannot be read.
        """
        _check(os.stat(name, dir_fd=self._fd, follow_symlinks=False))
        try:
            descriptor = os.open(name, _OPEN, dir_fd=self._fd)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise RefusedError(reason="not_a_file") from error
            raise
        try:
            _check(os.fstat(descriptor))
            data = os.read(descriptor, MAX_FILE_BYTES + 1)
            while chunk := os.read(descriptor, MAX_FILE_BYTES + 1 - len(data)):
                data += chunk
        finally:
            os.close(descriptor)
        if len(data) > MAX_FILE_BYTES:
            raise RefusedError(reason="too_long")
        return data

    def age_ns(self, name: str, now_ns: int) -> int:
        """How long ago the file was last changed."""
        return now_ns - os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mtime_ns

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def quarantine(self, name: str, reason: str) -> None:
        """Move whatever `name` is out of the way, under a name of our own."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(QUARANTINE_NAME, DIRECTORY_MODE, dir_fd=self._fd)
        kept = os.open(
            QUARANTINE_NAME, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._fd
        )
        try:
            status = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
            too_long = stat.S_ISREG(status.st_mode) and status.st_size > MAX_FILE_BYTES
            if too_long or len(os.listdir(kept)) >= QUARANTINE_LIMIT:
                self.remove(name)
                return
            aside = f"{reason}-{status.st_mtime_ns}-{status.st_ino}"
            os.rename(name, aside, src_dir_fd=self._fd, dst_dir_fd=kept)
        finally:
            os.close(kept)


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(reason="not_a_file")
    if not _private(status):
        raise RefusedError(reason="untrusted")
    if status.st_nlink != 1:
        raise RefusedError(reason="linked")


def _private(status: os.stat_result) -> bool:
    """Whether nobody but root and this daemon's user could have changed it."""
    trusted = status.st_uid in {0, os.geteuid()}
    return trusted and not status.st_mode & _WRITABLE_BY_OTHERS


class Census(msgspec.Struct, frozen=True):
    """Numbers of files."""

    waiting: int
    """Hook records that are not taken in yet."""
    quarantined: dict[str, int]
    """Files that were moved aside, by reason."""


def census(path: str) -> Census | None:
    """What lies in the spool directory at `path`; None if there is none.

    Raises:
        OSError: it may not be looked at.
    """
    try:
        waiting = sum(
            name.endswith(RECORD_SUFFIX) and not name.startswith(".") for name in os.listdir(path)
        )
    except FileNotFoundError:
        return None
    try:
        aside = os.listdir(os.path.join(path, QUARANTINE_NAME))
    except FileNotFoundError:
        aside = []
    # Named `<reason>-<mtime>-<inode>` by the daemon.
    reasons = Counter(name.partition("-")[0] for name in aside)
    return Census(waiting=waiting, quarantined=dict(sorted(reasons.items())))
