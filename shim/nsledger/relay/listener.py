"""The socket that the kubelet connects to: claimed without stealing, given up without breaking.

It is bound beside its name and renamed over it, so that the name always leads to somebody who
listens. A lock file tells a live owner from a socket that a dead one left behind.

Source: unix(7), rename(2), flock(2).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from types import TracebackType
from typing import Final, Self

from nsledger.errors import NsledgerError

_BACKLOG: Final = 1024
_WIDEST_MODE: Final = 0o660
_DIRECTORY_MODE: Final = 0o711
_LOCK_MODE: Final = 0o600
_LONGEST_PATH_BYTES: Final = 107
"""`sun_path` with its final NUL (unix(7))."""


class ListenError(NsledgerError):
    """The socket cannot be had; nothing was changed."""

    def __init__(self, *, path: str, found: str, needed: str, hint: str = "") -> None:
        super().__init__(f"{path}: found {found}, needed {needed}")
        self.path = path
        self.hint = hint


class Listener:
    """A listening socket under its name, with the lock that makes it ours."""

    def __init__(self, *, path: str, listening: socket.socket, lock: int) -> None:
        self.path = path
        self.socket = listening
        self._lock = lock
        bound = os.stat(path, follow_symlinks=False)
        self._identity = bound.st_dev, bound.st_ino

    @classmethod
    def claim(cls, path: str, *, upstream: str) -> Self:
        """Listen on `path`, in place of a stale socket if there is one.

        Owner and mode are those of the socket at `upstream`, never wider than 0660.

        Raises:
            ListenError: `path` is the runtime's own socket, in use, or no socket; or too long.
            OSError: the directory refuses.
        """
        _refuse_what_cannot_be(path, upstream)
        directory = os.path.dirname(os.path.abspath(path))
        os.makedirs(directory, mode=_DIRECTORY_MODE, exist_ok=True)
        lock = _lock(path)
        try:
            listening = _bind(path, upstream)
        except BaseException:
            os.close(lock)
            raise
        return cls(path=path, listening=listening, lock=lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop to listen, and take the name away if it still leads to us."""
        with contextlib.suppress(FileNotFoundError):
            now = os.stat(self.path, follow_symlinks=False)
            if (now.st_dev, now.st_ino) == self._identity:
                os.unlink(self.path)
        self.socket.close()
        os.close(self._lock)


def _refuse_what_cannot_be(path: str, upstream: str) -> None:
    if len(os.fsencode(path)) > _LONGEST_PATH_BYTES:
        raise ListenError(
            path=path,
            found=f"{len(os.fsencode(path))} bytes",
            needed=f"a path of {_LONGEST_PATH_BYTES} bytes at most (unix(7))",
        )
    if os.path.realpath(path) == os.path.realpath(upstream):
        raise ListenError(
            path=path,
            found="the runtime's own socket",
            needed="another path to listen on",
            hint="Let --listen and --upstream differ; otherwise the relay would call itself.",
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path, follow_symlinks=False).st_mode):
            raise ListenError(
                path=path,
                found="something that is no socket",
                needed="a free path, or a socket that nobody listens on",
                hint="Move it away, or give --listen another path.",
            )


def _lock(path: str) -> int:
    lock_path = f"{path}.lock"
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _LOCK_MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ListenError(
            path=path,
            found="another nsledger that listens there",
            needed="a path of our own",
            hint="Stop the other one first; `fuser` on the lock file beside the socket names it.",
        ) from None
    return lock


def _bind(path: str, upstream: str) -> socket.socket:
    _refuse_live_stranger(path)
    beside = os.path.join(os.path.dirname(path), f".{os.getpid()}.sock")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        before = os.umask(0o777)  # nobody connects before owner and mode are right
        try:
            listening.bind(beside)
        finally:
            os.umask(before)
        with contextlib.suppress(FileNotFoundError):
            runtime = os.stat(upstream)
            os.chown(beside, runtime.st_uid, runtime.st_gid)
            os.chmod(beside, stat.S_IMODE(runtime.st_mode) & _WIDEST_MODE)
        if not os.path.exists(upstream):
            os.chmod(beside, _WIDEST_MODE)
        listening.listen(_BACKLOG)
        os.rename(beside, path)
    except BaseException:
        listening.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    return listening


def _refuse_live_stranger(path: str) -> None:
    """Somebody without our lock may listen there: another program, which must not lose it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise ListenError(
        path=path,
        found="another program that listens there",
        needed="a free path, or a socket that nobody listens on",
    )
