"""What is the same for every process of this node: its boot, its kernel, its own namespaces."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nsledger.model.namespaces import NamespaceReading
from nsledger.proc.namespaces import read_namespaces

FIRST_PROCESS: Final = "/proc/1/ns"
OWN_PROCESS: Final = "/proc/self/ns"


@dataclass(frozen=True, slots=True)
class HostReference:
    """The namespaces that count as the host's."""

    reading: NamespaceReading
    path: str
    """Where they were read: `/proc/1/ns`, or `/proc/self/ns`, which is only as good as the daemon's
    own place: a service manager may have given it a mount namespace of its own."""


def host_reference() -> HostReference:
    """The namespaces of the first process; where they may not be read, our own.

    /proc/1 refuses even root inside some virtual machines and containers.
    """
    first = read_namespaces(1)
    if errno.errorcode[errno.EACCES] not in first.missing.values():
        return HostReference(reading=first, path=FIRST_PROCESS)
    return HostReference(reading=read_namespaces(os.getpid()), path=OWN_PROCESS)


def boot_id() -> str:
    """The random id of this boot: 36 characters, lower case (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def cgroup_version() -> int:
    """2 on a unified hierarchy, 1 on a legacy or hybrid one (cgroups(7)), 0 without any."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return 2
    return 1 if any(root.glob("*/cgroup.procs")) else 0


def node_name() -> str:
    """The host's name: what the kubelet calls its node unless it is told otherwise."""
    return os.uname().nodename.lower()


def kernel_release() -> str:
    """What `uname -r` prints."""
    return os.uname().release
