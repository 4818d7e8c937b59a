"""The socket that the kubelet connects to: made beside its path, moved there, removed if ours.

Its mode and owner are the runtime's own socket's, never wider than 0660, from the first moment. A
lock beside it keeps a second shim from taking it; one that is meant to is given it (`control.py`).

Source: unix(7), rename(2), flock(2).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from dataclasses import dataclass
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.relay.control import Offered, control_path, open_control

_LONGEST_PATH_BYTES: Final = 107
"""What fits into `sun_path`."""
_WIDEST_MODE: Final = 0o660
_MODE_WITHOUT_EXAMPLE: Final = 0o600
_DIRECTORY_MODE: Final = 0o711
_WRITABLE_BY_OTHERS: Final = 0o022
_BACKLOG: Final = 1024


class ListenError(NsledgerError):
    """The socket cannot be served at the path that was asked for."""

    def __init__(self, *, path: str, found: str, needed: str) -> None:
        super().__init__(f"{path}: {found}; {needed}")
        self.path = path


class InUseError(ListenError):
    """Somebody else serves the path."""

    hint = "Stop the other process first (`ss -xlp` names it), or take over with --take-over."


class LoopError(ListenError):
    """The path to listen on is the runtime's own socket."""

    hint = "Listen on a path of nsledger's own, and give the runtime's socket as upstream."


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A socket that listens at `path`, as long as nobody put another one there."""

    sock: socket.socket
    path: str
    lock_fd: int
    control: socket.socket
    dev: int
    ino: int

    @property
    def is_at_path(self) -> bool:
        """Whether `path` still leads to this socket."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (self.dev, self.ino)

    def close(self) -> None:
        """Stop listening; remove the path if it is still this socket's, and give up the lock."""
        if self.is_at_path:
            os.unlink(self.path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(control_path(self.path))
        self.leave()

    def leave(self) -> None:
        """Close the descriptors, which another process has too, and touch nothing else."""
        self.sock.close()
        self.control.close()
        os.close(self.lock_fd)


def listen(path: str, upstream_path: str) -> ListeningSocket:
    """Listen at `path`, in front of the runtime's socket at `upstream_path`.

    The directory is made if it is missing. A socket that nobody serves any more is replaced.

    Raises:
        LoopError: both paths are one socket.
        InUseError: another shim, or anything else, serves `path`.
        ListenError: a path is too long or is something else than a socket, or `path` lies in a
            directory in which others may put their own.
        OSError: the system refuses.
    """
    check_paths(path, upstream_path)
    temporary = _temporary_beside(path)
    _prepare_directory(os.path.dirname(path) or ".")
    lock_fd = _lock(path)
    try:
        _refuse_other(path)
        control = open_control(path)
    except BaseException:
        os.close(lock_fd)
        raise
    try:
        return _bind(path, temporary, upstream_path, lock_fd, control)
    except BaseException:
        control.close()
        os.unlink(control_path(path))
        os.close(lock_fd)
        raise


def take_over(offered: Offered, path: str, upstream_path: str) -> ListeningSocket:
    """The socket that a running shim offered, if it is the one at `path`.

    Raises:
        LoopError: both paths are one socket.
        ListenError: `path` leads to another socket by now, or to none; or see `check_paths`.
    """
    check_paths(path, upstream_path)
    taken = ListeningSocket(
        offered.sock, path, offered.lock_fd, offered.control, offered.dev, offered.ino
    )
    if not taken.is_at_path:
        raise ListenError(
            path=path,
            found="is not the socket that the running nsledger listens on",
            needed="needed that one to take over",
        )
    return taken


def check_paths(path: str, upstream_path: str) -> None:
    """See that there can be a socket at both, and that they are two. Nothing is made or opened.

    The runtime may come later: nothing at `upstream_path` is no error.

    Raises:
        LoopError: both paths are one socket.
        ListenError: one is too long, or the runtime's is something else than a socket.
    """
    for name in (path, control_path(path), _temporary_beside(path)):
        _refuse_too_long(path, name, "the path of a socket, `.control` behind it,")
    _refuse_too_long(upstream_path, upstream_path, "the path of the upstream socket")
    _refuse_loop(path, upstream_path)
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(os.stat(upstream_path).st_mode):
            raise ListenError(
                path=upstream_path,
                found="is not a socket",
                needed="the upstream must be the runtime's socket",
            )


def _temporary_beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.urandom(4).hex()}")


def _refuse_too_long(path: str, name: str, what: str) -> None:
    length_bytes = len(os.fsencode(name))
    if length_bytes > _LONGEST_PATH_BYTES:
        raise ListenError(
            path=path,
            found=f"needs {length_bytes} bytes",
            needed=f"{what} has {_LONGEST_PATH_BYTES} at most",
        )


def _refuse_loop(path: str, upstream_path: str) -> None:
    same = os.path.realpath(path) == os.path.realpath(upstream_path)
    if not same:
        with contextlib.suppress(OSError):
            same = os.path.samefile(path, upstream_path)
    if same:
        raise LoopError(
            path=path,
            found="is the upstream socket itself",
            needed="the two must be different sockets",
        )


def _prepare_directory(directory: str) -> None:
    try:
        os.mkdir(directory, _DIRECTORY_MODE)
    except FileExistsError:
        mode = os.stat(directory).st_mode
        if mode & _WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX:
            raise ListenError(
                path=directory,
                found=f"mode {stat.S_IMODE(mode):04o} lets others write",
                needed=f"needed a directory of mode {_DIRECTORY_MODE:04o} or stricter",
            ) from None
    else:
        os.chmod(directory, _DIRECTORY_MODE)  # whatever the umask took away


def _lock(path: str) -> int:
    """The lock beside `path`: the file stays, since removing it would race with the next owner."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock_fd = os.open(f"{path}.lock", flags, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        raise InUseError(
            path=path, found="another nsledger serves it", needed="needed to be the only one"
        ) from None
    return lock_fd


def _refuse_other(path: str) -> None:
    """See that nothing, or only what a dead process left, is at `path`."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(
            path=path,
            found="exists and is not a socket",
            needed="needed a free path, or a socket that nobody serves",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # its queue is full: somebody is alive, and busy
    raise InUseError(path=path, found="another process serves it", needed="needed a free path")


def _bind(
    path: str, temporary: str, upstream_path: str, lock_fd: int, control: socket.socket
) -> ListeningSocket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux takes the mode of a new socket file from the descriptor: it is never wider.
        os.fchmod(sock.fileno(), _MODE_WITHOUT_EXAMPLE)
        sock.bind(temporary)
        try:
            _dress(temporary, upstream_path)
            sock.listen(_BACKLOG)
            made = os.lstat(temporary)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except BaseException:
        sock.close()
        raise
    return ListeningSocket(sock, path, lock_fd, control, made.st_dev, made.st_ino)


def _dress(temporary: str, upstream_path: str) -> None:
    """Give the new socket the owner and the mode of the runtime's, if that is there."""
    try:
        example = os.stat(upstream_path)
    except FileNotFoundError:
        return
    made = os.lstat(temporary)
    if (made.st_uid, made.st_gid) != (example.st_uid, example.st_gid):
        os.chown(temporary, example.st_uid, example.st_gid)
    os.chmod(temporary, stat.S_IMODE(example.st_mode) & _WIDEST_MODE)
