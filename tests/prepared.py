"""A program that finds its process prepared: limits, identity, signals or descriptors are set.

Not by `preexec_fn`. What Python runs between fork and exec of a process in which gRPC has threads
may abort there, or print into the program's output; a launcher of its own has no such past.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

_LAUNCHER: Final = """\
import os, resource, signal, sys
found = open("/proc/self/environ", "rb").read()
environment = dict(one.split(b"=", 1) for one in found.split(b"\\0") if one)
exec(sys.argv[1])
os.execve(sys.argv[2], sys.argv[2:], environment)
"""


def prepared(preparation: str, program: Sequence[object]) -> list[str]:
    """The command that runs Python statements, then `program` in their place.

    Args:
        preparation: May use `os`, `resource` and `signal`.
        program: Its first word is an absolute path; it gets the environment that we are given.
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, preparation, *map(str, program)]
