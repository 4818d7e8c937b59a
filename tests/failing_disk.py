"""A disk that fails when a test says so: in this process, for every thread."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest


class FailingDisk:
    """Replaces functions of `os`, and puts them back."""

    def __init__(self) -> None:
        self._patches = pytest.MonkeyPatch()
        self.refused = 0
        """Calls that failed."""

    def fails(self, code: int = errno.ENOSPC, *, at: str = "pwrite") -> None:
        """Let `os.<at>` fail with `code` from now on."""

        def failing(*_: object) -> int:
            self.refused += 1
            raise OSError(code, os.strerror(code))

        self._patches.setattr(os, at, failing)

    def waits(self, before: Callable[[], object], *, at: str = "pwrite") -> None:
        """Call `before` before each `os.<at>`."""
        real = getattr(os, at)

        def waiting(*arguments: object) -> object:
            before()
            return real(*arguments)

        self._patches.setattr(os, at, waiting)

    def cuts_short(self, size: int) -> None:
        """Let the next `os.pwrite` write `size` bytes, and the one after it find no space."""
        real = os.pwrite
        left = [size]

        def cutting(descriptor: int, data: bytes, offset: int) -> int:
            if not left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(descriptor, data[: left.pop()], offset)

        self._patches.setattr(os, "pwrite", cutting)

    def works(self) -> None:
        """Everything works again."""
        self._patches.undo()
