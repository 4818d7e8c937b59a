"""Checks of the kernel and of what this process may ask it."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final

from nsledger.node.doctor.context import CheckContext
from nsledger.node.doctor.outcome import Outcome, failed, of_an_image, ok, unknown, warning
from nsledger.proc import host
from nsledger.proc.namespaces import read_namespaces

_CAP_SYS_PTRACE: Final = 19
_TIME_ERROR: Final = 5
"""What adjtimex(2) answers of a clock that nobody sets."""
_TIMEX_BYTES: Final = 512
"""More than `struct timex` has on any architecture."""
_BACKWARDS_S: Final = 5.0


def namespace_ids(context: CheckContext) -> Outcome:
    """NS_GET_ID answers for every type, or inodes have to do."""
    if not context.runs:
        return of_an_image()
    reading = read_namespaces(os.getpid())
    without = sorted(t for t, one in reading.namespaces.items() if one.ns_id is None)
    if not without:
        return ok(f"Linux {host.kernel_release()} answers NS_GET_ID for all eight types")
    return warning(
        f"Linux {host.kernel_release()} has no NS_GET_ID for {', '.join(without)}",
        "Namespaces are told apart by inode, boot and time; a newer kernel has ids (6.18 does).",
    )


def user_namespaces(context: CheckContext) -> Outcome:
    """`hostUsers: false` needs them."""
    if not context.runs:
        return of_an_image()
    limit = (context.host.read("/proc/sys/user/max_user_namespaces") or b"0").strip().decode()
    if limit != "0":
        return ok(f"max_user_namespaces is {limit}")
    return warning(
        "max_user_namespaces is 0",
        "Pods with hostUsers: false fail; set the sysctl if you want any.",
    )


def cgroup_version(context: CheckContext) -> Outcome:
    """With version 1 a container is in the host's cgroup namespace."""
    if not context.runs:
        return of_an_image()
    version = host.cgroup_version()
    if version == 2:  # noqa: PLR2004 - the number is the name
        return ok("version 2: each unprivileged container has a cgroup namespace of its own")
    return warning(
        f"version {version}: containers are in the host's cgroup namespace",
        "That is what runtimes do on version 1; nsledger shows it as host.",
    )


def ptrace(context: CheckContext) -> Outcome:
    """CAP_SYS_PTRACE, which reading /proc/<pid>/ns of others needs."""
    if not context.runs:
        return of_an_image()
    status = (context.host.read("/proc/self/status") or b"").decode()
    effective = next((line.split()[1] for line in status.splitlines() if "CapEff" in line), "0")
    if int(effective, 16) >> _CAP_SYS_PTRACE & 1:
        return ok("CAP_SYS_PTRACE is there")
    if os.geteuid() != 0:
        return unknown("this user has no CAP_SYS_PTRACE; the daemon is root", "Run it as root.")
    return failed(
        "root has no CAP_SYS_PTRACE here",
        "Run nsledger on the node itself, or in a container with hostPID and SYS_PTRACE.",
    )


def host_namespaces(context: CheckContext) -> Outcome:
    """Pid 1's namespaces are the host's; where they cannot be read the daemon's own stand in."""
    if not context.runs:
        return of_an_image()
    missing = read_namespaces(1).missing
    if not missing:
        return ok("/proc/1/ns can be read")
    reasons = ", ".join(sorted(set(missing.values())))
    if os.geteuid() != 0:
        return unknown(f"/proc/1/ns: {reasons}", "Run it as root.")
    return warning(
        f"/proc/1/ns: {reasons}",
        "The daemon takes its own namespaces for the host's, and each record says so.",
    )


def clock(context: CheckContext) -> Outcome:
    """Intervals of ownership are intervals of time."""
    last_ns = context.asking.last_record_ns(context.host.outside(context.ledger))
    ahead_s = (last_ns - time.time_ns()) / 1e9 if last_ns is not None else 0.0
    if ahead_s > _BACKWARDS_S:
        return failed(
            f"the last record is {ahead_s:.0f} s ahead of the clock",
            "Set the clock (chrony, systemd-timesyncd): it went back since.",
        )
    if not context.runs:
        return of_an_image()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) == _TIME_ERROR:
        return warning("nobody sets the clock", "Run chrony or systemd-timesyncd on the node.")
    return ok("the clock is set")
