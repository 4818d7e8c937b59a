"""What a private node is made of: the containerd of this machine, or of a Debian tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from nsledger.errors import NsledgerError

PROGRAM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian's PATH of root. `su` keeps a user's, which has no sbin, where runc is."""

_CNI_DIRECTORIES: Final = ("usr/lib/cni", "opt/cni/bin", "usr/libexec/cni")
"""Where Debian, upstream's archive and Fedora put the CNI plugins."""


class NotInstalledError(NsledgerError):
    """Something that a private node is made of is not there."""

    def __init__(self, *, what: str, package: str) -> None:
        super().__init__(f"found no {what}, and the private node needs it")
        self.hint = f"On Debian or Ubuntu, as root: apt-get install {package}"
        self.what = what


@dataclass(frozen=True, slots=True)
class Installation:
    """A containerd with the programs it calls."""

    tree: Path | None
    """The root of the Debian tree that holds it; None for this machine's own."""
    containerd: str
    """Absolute path of the program, inside the tree if there is one; `ctr` is beside it."""
    cni_plugins: str
    """Absolute path of the directory, likewise."""
    busybox: Path
    """On this machine: what the images are made of."""

    @classmethod
    def of_this_machine(cls, containerd: str = "containerd") -> Self:
        """What PATH has, or the program `containerd` names.

        Raises:
            NotInstalledError: something is missing.
        """
        return cls(
            tree=None,
            containerd=_program(containerd, "containerd"),
            cni_plugins=_cni_plugins(Path("/")),
            busybox=Path(_program("busybox", "busybox-static")),
        )

    @classmethod
    def of_tree(cls, tree: Path) -> Self:
        """What the Debian tree has that `tools/second-generation` makes.

        Raises:
            NotInstalledError: something is missing.
        """
        if not (tree / "usr/bin/containerd").exists():
            raise NotInstalledError(what=f"containerd in {tree}", package="debootstrap")
        return cls(
            tree=tree,
            containerd="/usr/bin/containerd",
            cni_plugins=_cni_plugins(tree),
            busybox=tree / "usr/bin/busybox",
        )

    @property
    def ctr(self) -> str:
        """The client that comes with containerd, of the same version."""
        return str(Path(self.containerd).with_name("ctr"))

    def default_configuration(self) -> dict[str, Any]:
        """What `containerd config default` prints: it tells versions and keys apart."""
        chroot = ["chroot", str(self.tree)] if self.tree else []
        printed = subprocess.run(
            [*chroot, self.containerd, "config", "default"],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": program_path()},
        )
        return tomllib.loads(printed.stdout)


def program_path() -> str:
    """PATH for everything that runs in or for a private node."""
    return f"{os.environ.get('PATH', '')}:{PROGRAM_PATH}".lstrip(":")


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=program_path())
    if found is None:
        raise NotInstalledError(what=name, package=package)
    return found


def _cni_plugins(root: Path) -> str:
    for directory in _CNI_DIRECTORIES:
        if (root / directory / "bridge").exists():
            return f"/{directory}"
    raise NotInstalledError(what="CNI plugins", package="containernetworking-plugins")
