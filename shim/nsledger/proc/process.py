"""Which process a pid is: a number that the kernel gives again, and what makes it an identity.

Source: proc_pid_stat(5).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final, Protocol

from nsledger.model.record import Moment

_AFTER_COMM: Final = 3
"""The fields that follow the command name (field 2), which may itself hold blanks and brackets."""
_STATE: Final = 3 - _AFTER_COMM
_START_TIME: Final = 22 - _AFTER_COMM
_ENDED: Final = frozenset({b"Z", b"X"})


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """What /proc/<pid>/stat says, as far as it matters here."""

    alive: bool
    """False for a zombie too: it has ended, and nobody asked for its exit code yet."""
    start_ticks: int
    """Clock ticks since boot when it started: with the pid, an identity on one boot."""


def open_process(pid: int) -> int:
    """A descriptor of the directory /proc/<pid>, for the caller to close.

    It stays with that process: when it is gone, whatever is opened through the descriptor fails
    (ESRCH or ENOENT), even if the pid has been given to another by then.

    Raises:
        OSError: ENOENT if no process has the pid.
    """
    return os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def read_file(process: int, name: str) -> bytes:
    """All of `name` in the /proc directory open as `process`.

    Raises:
        OSError: ESRCH or ENOENT if the process is gone.
    """
    with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process), "rb") as file:
        return file.read()


def read_stat(process: int) -> ProcessStat:
    """State and start of the process whose /proc directory is open as `process`.

    Raises:
        OSError: ESRCH or ENOENT if the process is gone.
    """
    stat = read_file(process, "stat")
    fields = stat[stat.rindex(b")") + 1 :].split()
    return ProcessStat(alive=fields[_STATE] not in _ENDED, start_ticks=int(fields[_START_TIME]))


def is_alive(pid: int, start_ticks: int) -> bool:
    """Whether the process that got `pid` at `start_ticks` still runs."""
    try:
        process = open_process(pid)
    except FileNotFoundError:
        return False
    try:
        stat = read_stat(process)
    except (FileNotFoundError, ProcessLookupError):
        return False
    finally:
        os.close(process)
    return stat.alive and stat.start_ticks == start_ticks


class Clock(Protocol):
    """Tells the moment."""

    def now(self) -> Moment:
        """Now."""
        ...


class NodeClock:
    """CLOCK_REALTIME and CLOCK_MONOTONIC of the kernel."""

    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id

    def now(self) -> Moment:
        """Now."""
        return Moment(time.time_ns(), time.monotonic_ns(), self._boot_id)
