"""Who holds a lock, without asking for it: a question must not keep a daemon out.

Source: proc_locks(5), flock(2); proc_stat(5), `btime`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nsledger.proc.process import open_process, read_stat

_FLOCK: Final = re.compile(
    r"\d+: FLOCK +ADVISORY +WRITE (-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) ", re.ASCII
).match


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock."""

    pid: int
    since_ns: int | None
    """Unix time when it started; None if that cannot be told."""


def flock_holder(path: str) -> Holder | None:
    """The process of this pid namespace that holds flock(2) on `path`; None if none does."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    wanted = os.major(status.st_dev), os.minor(status.st_dev), status.st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        lock = _FLOCK(line)
        if lock and (int(lock[2], 16), int(lock[3], 16), int(lock[4])) == wanted:
            return Holder(pid=int(lock[1]), since_ns=_started_ns(int(lock[1])))
    return None


def _started_ns(pid: int) -> int | None:
    try:
        process = open_process(pid)
    except OSError:
        return None
    try:
        ticks = read_stat(process).start_ticks
    except OSError:
        return None
    finally:
        os.close(process)
    booted = re.search(
        r"^btime (\d+)$", Path("/proc/stat").read_text(encoding="ascii"), re.MULTILINE
    )
    if booted is None:
        return None
    return int(booted[1]) * 10**9 + ticks * 10**9 // os.sysconf("SC_CLK_TCK")
