"""A file system that answers nothing: whoever looks into it waits until it is taken away.

It is a FUSE connection that nobody serves, so every path below hangs, in stat(2) as in open(2), and
what was opened before it was mounted over goes on. Only for root.

Source: fuse(4); mount(2), type `fuse`, options `fd`, `rootmode`, `user_id`, `group_id`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def hanging(path: Path) -> Iterator[None]:
    """Whatever is at and below the directory `path` hangs within this block, and fails after it."""
    connection = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={connection},rootmode=40000,user_id=0,group_id=0"
    if _libc.mount(b"nsledger-test", bytes(path), b"fuse", 0, options.encode()):
        os.close(connection)
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    try:
        yield
    finally:
        os.close(connection)  # who waits hears ENOTCONN
        _libc.umount2(bytes(path), _MNT_DETACH)
