"""The kubelet that runs on this machine: its argv and whose sockets it is connected to.

What the kernel says of the process, and not what its files say: a plan is compared with it before,
and proved by it afterwards.

Source: proc_pid_cmdline(5), systemctl(1) `show`, ss(8).
"""

from __future__ import annotations

import os
import re
from typing import Final

from nsledger.node.kubelet import UNIT
from nsledger.node.root import Host

_SYSTEMD_RUNS: Final = "/run/systemd/system"
_ROW: Final = re.compile(
    r"ESTAB\s+\d+\s+\d+\s+\S+\s+(?P<number>\d+)\s+\S+\s+(?P<peer>\d+)(?P<rest>[^\n]*)"
)
_USER: Final = re.compile(r'\("(?P<name>[^"]+)",pid=(?P<pid>\d+)')


def pid(host: Host) -> int | None:
    """The main process of kubelet.service; None where none runs, or nobody can tell."""
    if not host.is_this_machine or not host.exists(_SYSTEMD_RUNS):
        return None
    done = host.run("systemctl", "show", UNIT, "--property=MainPID", "--value")
    said = done.stdout.strip()
    return int(said) if not done.code and said.isdigit() and said != "0" else None


def argv(host: Host) -> tuple[str, ...] | None:
    """The command line of the kubelet that runs; None as `pid`."""
    found = pid(host)
    if found is None:
        return None
    try:
        data = host.read(f"/proc/{found}/cmdline")
    except ProcessLookupError:
        return None
    return tuple(os.fsdecode(word) for word in data.split(b"\0")[:-1]) if data else None


def is_active(host: Host) -> bool:
    """Whether systemd says that the kubelet runs."""
    return host.run("systemctl", "is-active", UNIT).stdout.strip() == "active"


def connections(host: Host) -> str | None:
    """The connected Unix sockets with their processes, as `ss` lists them; None if it does not."""
    done = host.run("ss", "--unix", "--extended", "--processes", "--no-header")
    return None if done.code or "users:" not in done.stdout else done.stdout


def peers(listed: str, file: int | None) -> set[tuple[int, str]]:
    """Pid and name of each process that is connected to a socket, by the inode of its file.

    Not by its path: the kernel keeps the one that it was bound at, and nsledger's own gets its
    name by a rename. A row of `listed` has the local path and number, the peer's, the processes,
    and the file's inode where there is a file.
    """
    accepted: set[str] = set()
    users: dict[str, str] = {}
    for row in _ROW.finditer(listed):
        users[row["number"]] = row["rest"]
        if file is not None and f" ino:{file} " in f"{row['rest']} ":
            accepted.add(row["peer"])
    return {
        (int(user["pid"]), user["name"])
        for number in accepted & users.keys()
        for user in _USER.finditer(users[number])
    }


def inode(path: str) -> int | None:
    """Of the file of the socket at `path`; None if there is none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
