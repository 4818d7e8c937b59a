"""containerd's names of the shims that run containers, and what follows from them.

A name such as `io.containerd.runc.v2` stands in a verbose status. CRI-O tells none.
"""

from __future__ import annotations

from typing import Final

_OF_THIS_KERNEL: Final = ("io.containerd.runc.", "io.containerd.runtime.v1.linux")
"""Shims of runc and of what is called like it (crun, youki, a BinaryName): their containers'
processes are processes of this kernel."""


def is_sandboxed(runtime_type: str) -> bool:
    """Whether a pid may be a virtual machine's or a sandbox's (kata, gVisor, wasm).

    Then its namespaces say nothing of the container's.
    """
    return bool(runtime_type) and not runtime_type.startswith(_OF_THIS_KERNEL)


def follows_containerds_rules(runtime_type: str) -> bool:
    """Whether a container joins what containerd's own code writes for it, as far as is known."""
    return runtime_type.startswith(_OF_THIS_KERNEL)
