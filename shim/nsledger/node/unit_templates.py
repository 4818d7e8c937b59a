"""The units and drop-ins of `systemd/`, with the path of the program that is installed.

They stand in the repository as an admin reads them and are carried by the wheel as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

_CARRIED: Final = Path(__file__).parents[1] / "systemd"
_IN_THE_REPOSITORY: Final = Path(__file__).parents[3] / "systemd"

_PACKAGED: Final = "/usr/bin/nsledger"
"""The program that the units name as they stand."""

_SHIM: Final = {
    "nsledger.service": "system/nsledger.service",
    "nsledger-verify.service": "system/nsledger-verify.service",
    "nsledger-verify.timer": "system/nsledger-verify.timer",
}
_DROP_INS: Final = {
    "containerd.service.conf": "containerd.service.d/50-nsledger.conf",
    "kubelet.service.conf": "kubelet.service.d/50-nsledger.conf",
}


def template(name: str) -> bytes:
    """The file `name` of `systemd/`."""
    carried = _CARRIED / name
    return (carried if carried.exists() else _IN_THE_REPOSITORY / name).read_bytes()


def shim_files(program: str, exists: Callable[[str], bool]) -> dict[str, bytes]:
    """The daemon's units and directories, by path; those that a package brought stay its own."""
    files: dict[str, bytes] = {}
    for name, place in _SHIM.items():
        if not exists(f"/usr/lib/systemd/{place}"):
            text = template(name).replace(_PACKAGED.encode(), program.encode())
            files[f"/etc/systemd/{place}"] = text
    if not exists("/usr/lib/tmpfiles.d/nsledger.conf"):
        files["/etc/tmpfiles.d/nsledger.conf"] = template("nsledger.tmpfiles.conf")
    return files


def drop_in(name: str) -> tuple[str, bytes]:
    """Path and bytes of the drop-in `name`, such as `kubelet.service.conf`."""
    return f"/etc/systemd/system/{_DROP_INS[name]}", template(name)
