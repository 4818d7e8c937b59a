"""The node that is looked at or changed: its files below a root, its programs behind a prefix.

The one place of this package that touches a disk or starts a process. A path is always the node's
own, such as `/etc/containerd/config.toml`; where the node is an image below `--root`, it and every
symbolic link on the way are looked up inside that root.

Source: path_resolution(7), chroot(1), rename(2).
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import posixpath
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Final

_LIMIT_S: Final = 60.0
_MOST_LINKS: Final = 40
"""As the kernel: then it is ELOOP."""
_VOLATILE: Final = ("tmpfs", "ramfs")
_SELINUX_LABEL: Final = "security.selinux"


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Content:
    """A regular file as it is: what has to be put back when it is to be as it was."""

    data: bytes = field(repr=False)
    """Not in any message: a configuration may hold credentials."""
    mode: int
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """A node, by its root directory and by how its programs are started."""

    root: str = "/"
    enter: tuple[str, ...] = ()
    """Put in front of every command: `chroot DIR` for an image, nothing for this machine."""
    unreadable: list[str] | None = None
    """Where paths are noted that may not be read, which then are as if they were not there: for a
    look without root. None: they are errors."""

    @classmethod
    def at(cls, root: str, *, unreadable: list[str] | None = None) -> Host:
        """This machine for `/`, else the image below `root`."""
        root = os.path.abspath(root)
        if root == "/":
            return cls(unreadable=unreadable)
        return cls(root=root, enter=("chroot", root), unreadable=unreadable)

    @property
    def is_this_machine(self) -> bool:
        """Whether services and sockets of this machine are the node's."""
        return self.root == "/"

    def resolve(self, path: str) -> str:
        """The node's path of what `path` leads to; the last part need not exist.

        Raises:
            OSError: too many symbolic links.
        """
        rest, at, links = path.split("/"), "/", 0
        while rest:
            name = rest.pop(0)
            if name in ("", ".", ".."):
                at = posixpath.dirname(at) if name == ".." else at
                continue
            there = posixpath.join(at, name)
            if not os.path.islink(self._outside(there)):
                at = there
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(self._outside(there))
            at = "/" if target.startswith("/") else at
            rest = [*target.split("/"), *rest]
        return at

    def outside(self, path: str) -> str:
        """Where `path` of the node is for this process."""
        return self._outside(self.resolve(path))

    def read(self, path: str) -> bytes | None:
        """The bytes at `path`; None if nothing is there."""
        content = self.content(path)
        return None if content is None else content.data

    def content(self, path: str) -> Content | None:
        """The file at `path` with its mode and owner; None if nothing is there."""
        try:
            descriptor = os.open(self.outside(path), os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except PermissionError:
            if self.unreadable is None:
                raise
            self.unreadable.append(path)
            return None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file", path)
        with open(descriptor, "rb") as file:
            return Content(file.read(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`."""
        return os.path.exists(self.outside(path))

    def glob(self, pattern: str) -> list[str]:
        """The node's paths that match `pattern`, sorted."""
        directory, name = posixpath.split(pattern)
        below = self.outside(directory)
        return sorted(posixpath.join(directory, found) for found in glob.glob(name, root_dir=below))

    def names(self, directory: str) -> list[str]:
        """What is in `directory`, hidden names too, sorted; nothing where there is none."""
        try:
            return sorted(os.listdir(self.outside(directory)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def write(self, path: str, content: Content) -> None:
        """`path` holds `content`, whole and durable, or what it held before; links stay links.

        The new file is made beside the old one and takes its SELinux label along.
        """
        target = self.outside(path)
        directory = os.path.dirname(target)
        descriptor, new = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=directory)
        try:
            with open(descriptor, "wb") as file:
                file.write(content.data)
                file.flush()
                os.fchmod(descriptor, content.mode)
                if os.geteuid() == 0:
                    os.fchown(descriptor, content.uid, content.gid)
                _copy_label(target, new)
                os.fsync(descriptor)
            os.replace(new, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            raise
        _sync(directory)

    def make_directories(self, path: str, mode: int) -> list[str]:
        """`path` is a directory; the ones that had to be made, outermost first."""
        missing: list[str] = []
        at = self.resolve(path)
        while not os.path.isdir(self._outside(at)):
            missing.insert(0, at)
            at = posixpath.dirname(at)
        for directory in missing:
            os.mkdir(self._outside(directory), mode)
            os.chmod(self._outside(directory), mode)
            _sync(os.path.dirname(self._outside(directory)))
        return missing

    def remove(self, path: str) -> None:
        """Nothing is at `path`; a link itself is removed, not what it leads to."""
        with contextlib.suppress(FileNotFoundError):
            directory = self.outside(posixpath.dirname(path))
            os.unlink(os.path.join(directory, posixpath.basename(path)))
            _sync(directory)

    def remove_empty_directory(self, path: str) -> None:
        """`path` is gone if it was an empty directory; else it stays."""
        with contextlib.suppress(OSError):
            os.rmdir(self.outside(path))

    def refusal_to_write(self, path: str) -> OSError | None:
        """Why a file at `path` could not be written, as far as can be told without trying."""
        at = posixpath.dirname(self.resolve(path))
        while not os.path.isdir(self._outside(at)):
            at = posixpath.dirname(at)
        directory = self._outside(at)
        if os.statvfs(directory).f_flag & os.ST_RDONLY:
            return OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        if not os.access(directory, os.W_OK | os.X_OK):
            return OSError(errno.EACCES, os.strerror(errno.EACCES), path)
        return None

    def is_volatile(self, path: str) -> bool:
        """Whether what is written at `path` is gone after a boot; only a live node can tell."""
        if not self.is_this_machine:
            return False
        try:
            with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
                rows = [line.split() for line in file]
        except OSError:
            return False
        at = self.resolve(path)
        below = [row for row in rows if f"{at}/".startswith(f"{row[4].rstrip('/')}/")]
        # Of two mounts on one place the later one is seen.
        last = max(enumerate(below), key=lambda one: (len(one[1][4]), one[0]), default=None)
        return last is not None and last[1][last[1].index("-") + 1] in _VOLATILE

    def run(self, *argv: str, timeout_s: float = _LIMIT_S) -> Done:
        """Run a program of the node to its end.

        Raises:
            OSError: it cannot be started, or was killed at its limit.
        """
        try:
            done = subprocess.run(
                [*self.enter, *argv],
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            found = f"did not end within {timeout_s:g} s"
            raise TimeoutError(errno.ETIMEDOUT, found, argv[0]) from None
        return Done(
            argv=argv,
            code=done.returncode,
            stdout=done.stdout.decode(errors="replace"),
            stderr=done.stderr.decode(errors="replace"),
        )

    def _outside(self, path: str) -> str:
        return path if self.root == "/" else self.root + path


def _copy_label(source: str, target: str) -> None:
    with contextlib.suppress(OSError):  # no SELinux, or nothing to copy from
        os.setxattr(target, _SELINUX_LABEL, os.getxattr(source, _SELINUX_LABEL))


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
