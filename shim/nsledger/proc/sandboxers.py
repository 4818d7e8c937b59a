"""Whether a pid is a container's own process, or that of what runs the container inside of itself.

A sandboxer (gVisor, a virtual machine monitor) gives a container a kernel of its own. The pid that
its runtime tells is the sandboxer's, and the namespaces of that process say nothing about those
inside. Which runtime handler or shim it is configured as says little: `runsc` is an OCI runtime
like another to `io.containerd.runc.v2` and to CRI-O. So the evidence is what lies on the node:

    state       runsc keeps `<container>_sandbox:<sandbox>.state` under its root directory
    executable  a known sandboxer that runs on the node's file system, not on a container's

A program of that name inside a container is no evidence: the process of a container has the
container's own root directory.

Source: gVisor `runsc/container/state_file.go`, `runsc/sandbox/sandbox.go`; Kata Containers'
`configuration.toml` for its hypervisors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

_GVISOR: Final = "gVisor (runsc)"
_PROGRAMS: Final = (
    (re.compile(r"runsc([-_.].*)?"), _GVISOR),
    (re.compile(r"qemu(-system-.*|-kvm|-lite)?"), "a virtual machine (qemu)"),
    (re.compile(r"cloud-hypervisor.*"), "a virtual machine (cloud-hypervisor)"),
    (re.compile(r"firecracker.*|jailer"), "a virtual machine (firecracker)"),
    (re.compile(r"stratovirt"), "a virtual machine (stratovirt)"),
    (re.compile(r"crosvm"), "a virtual machine (crosvm)"),
    (re.compile(r"containerd-shim-kata-v2|kata-runtime|kata-agent"), "Kata Containers"),
    (re.compile(r"krun"), "a virtual machine (krun)"),
    (re.compile(r"containerd-shim-(wasm|spin|slight|wws|lunatic).*"), "a WebAssembly runtime"),
)
_STATE_DIRECTORIES: Final = (
    "/run/containerd/runc/k8s.io",
    "/run/containerd/runsc/k8s.io",
    "/run/k3s/containerd/runc/k8s.io",
    "/run/runsc",
    "/run/docker/runtime-runsc/moby",
)
_STATE: Final = "_sandbox:"
_IDS: Final = re.compile(r"[0-9A-Za-z_.-]{1,128}").fullmatch
_CMDLINE_BYTES: Final = 4096


def program_is_sandboxer(path: str) -> str:
    """Which sandboxer a runtime's program is, by its file name; empty if it is none that is known.

    As in containerd's `options.BinaryName` and in the file `runtime` of an OCI bundle.
    """
    name = os.path.basename(path)
    return next((said for program, said in _PROGRAMS if program.fullmatch(name)), "")


def sandboxer_of(
    pid: int, container_id: str, *, state_directories: Sequence[str] = _STATE_DIRECTORIES
) -> str:
    """Which sandboxer the process `pid` belongs to; empty if nothing says that it is one's.

    `container_id` is what the runtime calls the container or pod sandbox.
    """
    return _by_state(container_id, state_directories) or _by_process(pid)


def _by_state(container_id: str, directories: Sequence[str]) -> str:
    if not _IDS(container_id):
        return ""
    for directory in directories:
        try:
            with os.scandir(directory) as entries:
                if any(entry.name.startswith(container_id + _STATE) for entry in entries):
                    return _GVISOR
        except OSError:
            continue
    return ""


def _by_process(pid: int) -> str:
    said = next((said for name in _names(pid) if (said := program_is_sandboxer(name))), "")
    return said if said and _is_on_the_nodes_files(pid) else ""


def _names(pid: int) -> tuple[str, ...]:
    """What the process runs, by the kernel, and what it calls itself."""
    names: list[str] = []
    try:
        names.append(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"))
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            first = file.read(_CMDLINE_BYTES).partition(b"\0")[0]
        names.append(os.fsdecode(first))
    except OSError:
        pass  # it has ended, or may not be looked at: then its namespaces cannot be read either
    return tuple(names)


def _is_on_the_nodes_files(pid: int) -> bool:
    """Whether its program lies on the node's file system, and not in a container's."""
    try:
        root, nodes = os.stat(f"/proc/{pid}/root"), os.stat("/")
        if (root.st_dev, root.st_ino) == (nodes.st_dev, nodes.st_ino):
            return True
        # A sandboxer has shut itself into an empty directory since its program was started.
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        return not os.path.lexists(f"/proc/{pid}/root{program}")
    except OSError:
        return False
