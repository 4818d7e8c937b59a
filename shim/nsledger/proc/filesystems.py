"""On which kind of file system a path lies.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
from typing import Final

_DEVICE: Final = 2
"""The third field: major:minor."""
_SEPARATOR: Final = "-"
"""Ends the optional fields; the type of the file system is next."""


def filesystem_of(path: str) -> str:
    """Such as `tmpfs` or `ext4`; empty if no mount of ours tells, as with a btrfs subvolume.

    Raises:
        OSError: there is no such path.
    """
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[_DEVICE] == number:
                return fields[fields.index(_SEPARATOR) + 1]
    return ""
