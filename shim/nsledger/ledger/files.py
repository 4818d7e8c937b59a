"""The ledger's file primitives: the only place that writes, and what each guarantees.

Nothing here knows what a file holds. `OSError` goes up as it is.

Source: open(2), fdatasync(2), flock(2), and ext4's and XFS's rule that a new name is durable only
after its directory was synced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def make_directory(path: str, mode: int) -> None:
    """Afterwards `path` is a directory, also after a power cut. One that exists stays as it is."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(os.path.abspath(path))
    make_directory(parent, 0o755)
    os.mkdir(path, mode)
    os.chmod(path, mode)
    sync_directory(parent)


def secure_directory(path: str, mode: int, group_id: int | None) -> None:
    """Nobody but the owner can write in `path`, and no more than `mode` allows; it keeps its group.

    Args:
        path: An existing directory.
        mode: The most that it allows.
        group_id: The group that it is to have, if any.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        status = os.fstat(directory)
        if os.geteuid() == 0 and status.st_uid != 0:
            os.fchown(directory, 0, -1)
        if group_id is not None and status.st_gid != group_id:
            os.fchown(directory, -1, group_id)
        if status.st_mode & 0o7777 & ~mode:
            os.fchmod(directory, status.st_mode & mode)
    finally:
        os.close(directory)


def give_to_group(path: str, group_id: int, *, but: str) -> None:
    """What is in the directory `path` belongs to the group, all but the file named `but`."""
    for name in os.listdir(path):
        if name != but:
            os.chown(os.path.join(path, name), -1, group_id, follow_symlinks=False)


def sync_directory(path: str) -> None:
    """Names made or removed in `path` before this call survive a power cut."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def new_file(path: str, mode: int) -> int:
    """A new empty file, open for reading and writing; its name is not durable yet.

    It belongs to its directory's group where the kernel lets this process give it away.

    Raises:
        FileExistsError: `path` exists, be it a dangling symbolic link.
    """
    descriptor = os.open(path, _NEW_FILE, mode)
    # From here on the name is there. Who cannot set its mode and group has one that less may read.
    with contextlib.suppress(OSError):
        os.fchown(descriptor, -1, os.stat(os.path.dirname(path)).st_gid)
        os.fchmod(descriptor, mode)
    return descriptor


def create_file(path: str, mode: int) -> int:
    """A new empty file, its name durable, open for reading and writing.

    Raises:
        FileExistsError: `path` exists, be it a dangling symbolic link.
    """
    descriptor = new_file(path, mode)
    try:
        sync_directory(os.path.dirname(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_file(path: str, data: bytes, mode: int) -> None:
    """A new file that holds all of `data`, durable by the end of the call.

    Raises:
        FileExistsError: `path` exists.
    """
    descriptor = create_file(path, mode)
    try:
        write_at(descriptor, data, 0)
        os.fsync(descriptor)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def replace_file(path: str, data: bytes, mode: int) -> None:
    """`path` holds all of `data`, durable by the end of the call; before, what it held before."""
    unfinished = path + ".tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    write_file(unfinished, data, mode)
    os.rename(unfinished, path)
    sync_directory(os.path.dirname(path))


class NotARegularFileError(OSError):
    """A name leads to a link, a FIFO, a device, a socket or a directory, needed a file."""

    def __init__(self, path: str, *, link: bool = False) -> None:
        why = (errno.ELOOP, os.strerror(errno.ELOOP)) if link else (errno.EINVAL, "no regular file")
        super().__init__(*why, path)


def open_file(path: str, *, writable: bool = False, follow_links: bool = False) -> int:
    """An existing regular file, open; never waits for whatever else may have its name.

    Raises:
        NotARegularFileError: it is something else; a symbolic link is, but for `follow_links`.
    """
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags | (0 if follow_links else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise NotARegularFileError(path, link=error.errno == errno.ELOOP) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotARegularFileError(path)
    return descriptor


def read_file(path: str, most_bytes: int, *, follow_links: bool = True) -> bytes:
    """What the regular file at `path` holds, and one byte more than `most_bytes` if there is more.

    Raises:
        NotARegularFileError: it is something else.
    """
    descriptor = open_file(path, follow_links=follow_links)
    try:
        return read_at(descriptor, most_bytes + 1, 0)
    finally:
        os.close(descriptor)


def lock_file(path: str, mode: int) -> int:
    """A descriptor that holds the one lock on `path` until it is closed, or its process dies.

    Raises:
        BlockingIOError: someone else holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def wait_for_lock(descriptor: int) -> None:
    """Nobody else who asks for it has the file until it is closed, or this process dies."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def lock_directory(path: str) -> int:
    """A descriptor that holds the one lock on the directory `path` itself.

    Raises:
        BlockingIOError: someone else holds it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """All of `data` stands at `offset`, or an error is raised and any part of it may.

    A short write is continued: the next write(2) then says why it was short.
    """
    written = os.pwrite(descriptor, data, offset)
    while written < len(data):
        more = os.pwrite(descriptor, memoryview(data)[written:], offset + written)
        if more == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        written += more


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """`size` bytes from `offset` on, or fewer if the file ends before."""
    data = os.pread(descriptor, size, offset)
    while len(data) < size:
        more = os.pread(descriptor, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def cut_at(descriptor: int, size: int) -> None:
    """The file ends at `size`. Not yet durable."""
    os.ftruncate(descriptor, size)
