"""Looks at a node from inside a container that has the node's root file system mounted.

A privileged container sees its own /proc and its own /run. In a mount namespace of this process
alone, the node's are put in their places: nothing changes on the node or for the container.

Source: mount_namespaces(7), mount(2), unshare(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Final

from nsledger.errors import NsledgerError

_CLONE_NEWNS: Final = 0x0002_0000
_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x4_0000


class NotANodeError(NsledgerError):
    """The directory does not hold a node that can be looked at."""


def look_from(root: str) -> None:
    """Make /proc and /run the node's whose root file system is mounted at `root`.

    To be called before any other thread is there.

    Raises:
        NotANodeError: there is no /proc of a node below `root`, or this process may not mount.
    """
    if not os.path.exists(os.path.join(root, "proc/1/ns")):
        raise _error(
            f"{root}: found no proc/1/ns, needed the node's root file system",
            "Mount the node's / there (hostPath: /): it brings the node's /proc along.",
        )
    if os.path.samefile(os.path.join(root, "proc/1/ns"), "/proc/1/ns"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _call(libc.unshare(_CLONE_NEWNS))
        _mount(libc, None, "/", _MS_REC | _MS_PRIVATE)
        _mount(libc, os.path.join(root, "proc"), "/proc", _MS_BIND)
    except OSError as error:
        raise _error(
            f"{root}: found that this process may not mount ({os.strerror(error.errno or 0)}), "
            "needed CAP_SYS_ADMIN",
            "Run the container with privileged: true, or with hostPID: true and without --root.",
        ) from error
    # Where network namespaces are mounted; without it their paths lead nowhere, which is said.
    with contextlib.suppress(OSError):
        _mount(libc, os.path.join(root, "run"), "/run", _MS_BIND | _MS_REC)


def node_name(root: str) -> str:
    """The host name that the node at `root` starts with; empty if it has none on file."""
    try:
        with open(os.path.join(root, "etc/hostname"), encoding="utf-8", errors="replace") as file:
            return file.readline(256).strip().lower()
    except OSError:
        return ""


def _mount(libc: ctypes.CDLL, source: str | None, target: str, flags: int) -> None:
    _call(
        libc.mount(
            None if source is None else os.fsencode(source),
            os.fsencode(target),
            None,
            ctypes.c_ulong(flags),
            None,
        )
    )


def _call(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _error(message: str, hint: str) -> NotANodeError:
    error = NotANodeError(message)
    error.hint = hint
    return error
