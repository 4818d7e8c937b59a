"""The OCI bundle of a container, where the runtime's status tells neither spec nor process.

cri-dockerd and older runtimes answer a verbose status without them. But whoever starts containers
with containerd's runc shim (Docker Engine does) leaves a directory for each that runs:

    /run/containerd/io.containerd.runtime.v2.task/<containerd's namespace>/<id>/
        config.json     the OCI spec: the layer *assigned*
        init.pid        of the container's process
        runtime         the OCI runtime's program, where it is not the default

Nothing of config.json is kept but its namespaces and id mappings. A pid counts only if the process
is older than the file that names it.

Source: containerd `core/runtime/v2/bundle.go`, `cmd/containerd-shim-runc-v2/process/init.go`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from nsledger.cri.verbose_status import OciSpec
from nsledger.model.namespaces import AssignedNamespaces, assigned_by_oci
from nsledger.proc.process import open_process, read_stat

_TASKS: Final = "io.containerd.runtime.v2.task"
DIRECTORIES: Final = tuple(
    f"{state}/{_TASKS}/{namespace}"
    for state, namespace in (
        ("/run/containerd", "k8s.io"),
        ("/run/containerd", "moby"),
        ("/run/docker/containerd/daemon", "moby"),
        ("/run/k3s/containerd", "k8s.io"),
    )
)
"""Where the usual engines have theirs."""
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,128}").fullmatch
_LONGEST_BYTES: Final = 16 << 20
_SLACK_S: Final = 1.0
"""Clock ticks and a file's time are no finer than this against each other."""

_decode: Final = msgspec.json.Decoder(OciSpec).decode


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is told by a bundle."""

    assigned: AssignedNamespaces
    """Empty if config.json could not be read."""
    pid: int | None
    """None if there is no process, or it is not the one that the bundle was made for."""
    runtime: str
    """The OCI runtime's program; empty for the default."""


def find(container_id: str, directories: Sequence[str] = DIRECTORIES) -> Bundle | None:
    """The bundle of a container or pod sandbox; None if there is none. Never raises."""
    if not _ID(container_id):
        return None
    for directory in directories:
        path = Path(directory, container_id)
        if path.is_dir():
            return Bundle(_assigned(path), _pid(path / "init.pid"), _text(path / "runtime"))
    return None


def _assigned(bundle: Path) -> AssignedNamespaces:
    data = _read(bundle / "config.json")
    try:
        linux = _decode(data).linux if data else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    entries = (linux.namespaces or ()) if linux else None
    if entries is None:
        return {}
    return assigned_by_oci([(one.type, one.path) for one in entries])


def _pid(file: Path) -> int | None:
    text = _text(file)
    if not text.isascii() or not text.isdecimal() or not int(text):
        return None
    try:
        process = open_process(int(text))
    except OSError:
        return None
    try:
        stat = read_stat(process)
        began_s = stat.start_ticks / os.sysconf("SC_CLK_TCK")
        written_s = time.clock_gettime(time.CLOCK_BOOTTIME) - (time.time() - file.stat().st_mtime)
    except OSError:
        return None
    finally:
        os.close(process)
    return int(text) if stat.alive and began_s <= written_s + _SLACK_S else None


def _text(file: Path) -> str:
    try:
        return (_read(file) or b"").decode().strip()
    except UnicodeDecodeError:
        return ""


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST_BYTES)
    except OSError:
        return None
