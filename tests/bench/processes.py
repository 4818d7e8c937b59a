"""What a process and its children have taken of the machine, by the kernel's own account."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

_PROCESS_CLOCK = 2
"""CPUCLOCK_SCHED: all threads of a process, also those that ended."""


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and of its children that live, to the nanosecond.

    Source: clock_getcpuclockid(3); how a clock names a process is in Linux, posix-timers.h.
    """
    total_s = 0.0
    for member in _family(pid):
        with contextlib.suppress(OSError):
            total_s += time.clock_gettime(~member << 3 | _PROCESS_CLOCK)
    return total_s


def resident_mib(pid: int) -> float:
    """Resident memory of a process and its children."""
    total_kib = 0
    for member in _family(pid):
        for line in Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total_kib += int(line.split()[1])
    return total_kib / 1024


def wait_until_idle(pid: int, *, limit_s: float) -> bool:
    """Whether the process came to rest: under 2 % of a core for a tenth of a second."""
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        before_s = cpu_s(pid)
        time.sleep(0.1)
        if cpu_s(pid) - before_s < 0.002:
            return True
    return False


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        with contextlib.suppress(FileNotFoundError):
            children = Path(f"/proc/{member}/task/{member}/children").read_text()
            found += map(int, children.split())
    return found
