"""Keeps a private node's processes, and takes everything down when nobody holds it any more.

    python -I keeper.py DIRECTORY

It says `ready`, then reads commands from standard input, one JSON object on a line:
`{"argv": […], "log": "PATH"}` starts a process, and the answer is its pid. When standard input
ends, because its owner closed it, crashed or was killed, it kills what it started and what those
started, deletes the bridge and the cgroups that bear the directory's name, then the directory, and
exits. A terminal's Ctrl-C does not reach it.

It may end only its own descendants: it is their subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)), so a
process whose parent ended becomes its child and is found by that. Standard library only: it is run
as a file, on its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LIMIT_S = 20.0


class _OrderedToStopError(Exception):
    """SIGTERM."""


def main(directory: Path) -> int:
    """Serve until standard input ends, then take everything down; 0 if nothing is left."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: _reap())
    try:
        # An owner that was killed may have left a command, and nobody to take the answer.
        with contextlib.suppress(_OrderedToStopError, BrokenPipeError):
            os.write(sys.stdout.fileno(), b"ready\n")
            for line in sys.stdin:
                command = json.loads(line)
                pid = _start(command["argv"], command["log"])
                os.write(sys.stdout.fileno(), f"{pid}\n".encode())
    finally:
        left = _take_down(directory)
    if left:
        print(f"left behind by {directory}: {', '.join(left)}", file=sys.stderr)
    return 1 if left else 0


def _stop(_signal: int, _frame: object) -> None:
    raise _OrderedToStopError


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _start(argv: list[str], log: str) -> int:
    appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawnp(
        argv[0],
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, appended, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsigdef=[signal.SIGINT, signal.SIGPIPE],
    )


def _take_down(directory: Path) -> list[str]:
    """Take everything down; returns what could not be."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    steps: dict[str, Callable[[], bool]] = {
        "processes": _kill_descendants,
        "bridge": lambda: _delete_bridge(directory.name),
        "cgroups": lambda: _delete_cgroups(directory.name),
        "directory": lambda: _delete_directory(directory),
    }
    return [what for what, remove in steps.items() if not _until(remove)]


def _until(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _LIMIT_S
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _kill_descendants() -> bool:
    """Kill all children; their orphans become children and are next. True once none is left.

    It must not wait for one of them: the first process of a pid namespace ends only when all
    others in there were reaped, and some of them are ours to reap.
    """
    for pid in _children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _reap()
    return not _children()


def _children() -> list[int]:
    """The processes whose parent this one is: field 4 of /proc/<pid>/stat (proc_pid_stat(5))."""
    children: list[int] = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            after_name = Path("/proc", name, "stat").read_text().rpartition(")")[2]
            if int(after_name.split()[1]) == os.getpid():
                children.append(int(name))
    return children


def _delete_bridge(name: str) -> bool:
    """Delete the bridge and its ports: a dead namespace's veth goes with the kernel's own delay."""
    bridge = Path("/sys/class/net", name)
    if not bridge.exists():
        return True
    for link in [port.name for port in bridge.glob("brif/*")] + [name]:
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
    return not bridge.exists()


def _delete_cgroups(name: str) -> bool:
    """Delete the cgroups called `name`, in each hierarchy, from the leaves up."""
    root = Path("/sys/fs/cgroup")
    # Version 2 has one hierarchy, at the root; each of version 1 is a directory below it.
    tops = [top for top in (root / name, *root.glob(f"*/{name}")) if top.is_dir()]
    for top in tops:
        for path, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    return not any(top.exists() for top in tops)


def _delete_directory(directory: Path) -> bool:
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
