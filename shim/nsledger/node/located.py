"""Which runtime a node's kubelet has, and where its configuration is: asked of systemd's files.

    located(host, program="containerd", main="", endpoint=None) -> Located(...)

In this order: what the command line says; what containerd.service is told (`--config`, with its
variables), or the running containerd if that is a live node; a distribution of Kubernetes that
brings its own; containerd's default. On a node with both runtimes the kubelet's endpoint decides.

Source: containerd(8) `--config`; k3s, RKE2, k0s, MicroK8s on their containerd's configuration.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.node.root import Host
from nsledger.node.unit_files import read_unit

CONTAINERD_CONFIGURATION: Final = "/etc/containerd/config.toml"
CONTAINERD: Final = "containerd"
CRIO_PROGRAMS: Final = ("/usr/bin/crio", "/usr/local/bin/crio")
SYSTEMD_RUNS: Final = "/run/systemd/system"
_UNIT: Final = "containerd.service"
_FLAGS: Final = ("--config", "-config", "-c", "--c")
_PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of Kubernetes that starts a containerd of its own."""

    name: str
    configuration: str
    programs: tuple[str, ...]
    service: str
    """What restarts it."""


DISTRIBUTIONS: Final = (
    Distribution(
        "k3s",
        "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        ("/var/lib/rancher/k3s/data/current/bin/containerd",),
        "k3s",
    ),
    Distribution(
        "RKE2",
        "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        ("/var/lib/rancher/rke2/bin/containerd",),
        "rke2-agent",
    ),
    Distribution("k0s", "/etc/k0s/containerd.toml", ("/var/lib/k0s/bin/containerd",), "k0sworker"),
    Distribution(
        "MicroK8s",
        "/var/snap/microk8s/current/args/containerd.toml",
        ("/snap/microk8s/current/bin/containerd",),
        "snap.microk8s.daemon-containerd",
    ),
)


class ConfigurationDiffersError(NsledgerError):
    """The containerd that runs was started with another file than its unit names."""

    hint = (
        "If the unit is newer: systemctl daemon-reload && systemctl restart containerd. Else name "
        "the file with --containerd-config."
    )

    def __init__(self, *, running: str, computed: str) -> None:
        super().__init__(
            f"{_UNIT}: found --config {computed}, but the containerd that runs has {running}"
        )
        self.running, self.computed = running, computed


@dataclass(frozen=True, slots=True)
class Located:
    """The runtime that the kubelet uses."""

    is_crio: bool
    program: str
    """containerd's, by path or name; empty for CRI-O."""
    main: str
    """containerd's main configuration file; empty for CRI-O."""
    found: bool = True
    """Whether there is a program of either."""
    service: str = CONTAINERD
    """The systemd unit that starts it."""


def located(host: Host, *, program: str, main: str, endpoint: str | None) -> Located:
    """The runtime of the node.

    Args:
        host: the node.
        program: containerd, as the command line names it.
        main: its configuration, likewise; empty if it does not.
        endpoint: what the kubelet calls without nsledger; None where that is not known.

    Raises:
        ConfigurationDiffersError: the unit and the process name two files.
    """
    crio = any(map(host.exists, CRIO_PROGRAMS))
    has_containerd = _has_program(host, program)
    if crio and (not has_containerd or "crio" in (endpoint or "")):
        return Located(is_crio=True, program="", main="", service="crio")
    if main:
        return Located(is_crio=False, program=program, main=main, found=has_containerd)
    stated = _stated(host)
    if stated is None and not host.exists(CONTAINERD_CONFIGURATION):
        for one in DISTRIBUTIONS:
            if host.exists(one.configuration):
                own = next(filter(host.exists, one.programs), program)
                there = own != program or has_containerd
                return Located(
                    is_crio=False,
                    program=own,
                    main=one.configuration,
                    found=there,
                    service=one.service,
                )
    return Located(
        is_crio=False,
        program=program,
        main=stated or CONTAINERD_CONFIGURATION,
        found=has_containerd,
    )


def _stated(host: Host) -> str | None:
    """The configuration that containerd.service names, or its process; None where neither does."""
    unit = read_unit(_UNIT, host)
    computed = config_of(unit.argv) if unit is not None else None
    running = _running(host)
    if running is None:
        return computed
    is_now = config_of(running)
    if unit is not None and is_now != computed:
        raise ConfigurationDiffersError(
            running=is_now or "none", computed=computed or CONTAINERD_CONFIGURATION
        )
    return is_now


def _running(host: Host) -> tuple[str, ...] | None:
    if not host.is_this_machine or not host.exists(SYSTEMD_RUNS):
        return None
    done = host.run("systemctl", "show", _UNIT, "--property=MainPID", "--value")
    pid = done.stdout.strip()
    if done.code or not pid.isdigit() or pid == "0":
        return None
    try:
        data = host.read(f"/proc/{pid}/cmdline")
    except ProcessLookupError:
        return None
    return tuple(os.fsdecode(word) for word in data.split(b"\0")[:-1]) if data else None


def config_of(argv: Sequence[str]) -> str | None:
    """The last `--config` of containerd's argv, in each form that it takes; None without."""
    found: str | None = None
    for at, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition("=")
        if name not in _FLAGS:
            continue
        if equals:
            found = value
        elif at + 1 < len(argv):
            found = argv[at + 1]
    return found or None


def _has_program(host: Host, program: str) -> bool:
    if "/" in program:
        return host.exists(program)
    if host.enter:
        return any(host.exists(f"{directory}/{program}") for directory in _PATH)
    return shutil.which(program) is not None
