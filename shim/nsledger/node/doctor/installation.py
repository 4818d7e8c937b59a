"""Checks of what was installed: files, hook, spool, daemon, kubelet, ledger."""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.model.endpoint import is_same_socket
from nsledger.node import hook_files, kubelet, kubelet_process
from nsledger.node.doctor.outcome import Outcome, failed, of_an_image, ok, unknown, warning
from nsledger.node.doctor.sight import Sight
from nsledger.node.survey import require_interpreter

_INSTALL: Final = "Run `nsledger install`; with --dry-run it shows what it would change."
_PRIVATE_MODE: Final = 0o700
_WAITING_S: Final = 60.0
_LEAST_ROOM_BYTES: Final = 1 << 30
_LEAST_ROOM_SHARE: Final = 0.05


def installed_files(sight: Sight) -> Outcome:
    """What another program wrote anew (kubeadm, a GPU operator) no longer has our lines."""
    if sight.manifest is None:
        return failed("nothing is installed on this node", _INSTALL)
    gone: list[str] = []
    edited: list[str] = []
    for part in sight.manifest.parts:
        for file in part.files:
            now = sight.host.content(file.path)
            if now is None:
                gone.append(file.path)
            elif now.data != file.after.content.data:
                edited.append(file.path)
    if gone:
        return failed(f"gone: {', '.join(gone)}", _INSTALL)
    if edited:
        return warning(f"edited since: {', '.join(edited)}", _INSTALL)
    return ok(f"all as nsledger {sight.manifest.version} left them")


def hook_interpreter(sight: Sight) -> Outcome:
    """An interpreter that fails lets no container start, if the hook may fail them."""
    require_interpreter(sight.host)
    return ok(f"{hook_files.INTERPRETER} runs, with json")


def hook_code(sight: Sight) -> Outcome:
    """The copy that runs in every container start."""
    for path, code in hook_files.code().items():
        found = sight.host.read(path)
        if found is None:
            return failed(f"{path} is not there", _INSTALL)
        if found != code:
            return warning(f"{path} is another version's", _INSTALL)
    if not sight.host.glob(f"{hook_files.HOOK_DIRECTORY}/__pycache__/hook.*.pyc"):
        return warning("it is not compiled: each start takes longer", _INSTALL)
    return ok(f"this version's in {hook_files.HOOK_DIRECTORY}, compiled")


def spool(sight: Sight) -> Outcome:
    """Records that wait are records that are not in the ledger."""
    if not sight.runs:
        return of_an_image()
    path = sight.host.outside(sight.spool)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return failed(
            f"{sight.spool} is not there: the hook's records are lost",
            "systemd-tmpfiles --create nsledger.conf",
        )
    if stat.S_IMODE(found.st_mode) != _PRIVATE_MODE or found.st_uid != 0:
        return failed(
            f"{sight.spool} has mode {stat.S_IMODE(found.st_mode):o} and owner {found.st_uid}",
            f"chown root {sight.spool}; chmod 700 {sight.spool}: others could plant records.",
        )
    waiting = [entry.stat().st_mtime for entry in os.scandir(path) if entry.name[0] != "."]
    oldest_s = time.time() - min(waiting, default=time.time())
    if oldest_s > _WAITING_S:
        return failed(
            f"{len(waiting)} records wait, the oldest for {oldest_s:.0f} s",
            "The daemon takes them in: systemctl status nsledger",
        )
    return ok(f"{len(waiting)} records wait")


def service(sight: Sight) -> Outcome:
    """Systemd's account of the daemon."""
    if not sight.host.is_this_machine or not sight.host.exists("/run/systemd/system"):
        return unknown("systemd does not run here")
    active = sight.host.run("systemctl", "is-active", "nsledger.service").stdout.strip()
    enabled = sight.host.run("systemctl", "is-enabled", "nsledger.service").stdout.strip()
    if active == "active" and enabled == "enabled":
        return ok("active and enabled")
    return failed(
        f"{active or 'unknown'} and {enabled or 'not enabled'}",
        "systemctl enable --now nsledger; journalctl -u nsledger says why it does not run.",
    )


def shim_socket(sight: Sight) -> Outcome:
    """The kubelet's way to the runtime."""
    if not sight.runs:
        return of_an_image()
    try:
        name, version = sight.asking.runtime_version(sight.host.outside(sight.shim_socket))
    except NsledgerError as error:
        return failed(
            f"no runtime answers through {sight.shim_socket} ({error})",
            "systemctl status nsledger; until it runs, `nsledger bypass` lets the kubelet go past.",
        )
    return ok(f"{name} {version} answers through {sight.shim_socket}")


def kubelet_endpoint(sight: Sight) -> Outcome:
    """What the running kubelet was told, and will be at its next start."""
    running = kubelet_process.argv(sight.host)
    wanted = f"unix://{sight.shim_socket}"
    told = kubelet.read(sight.host, endpoint=wanted, running=running)
    place = f" ({told.stated.path}:{told.stated.line})" if told.stated else ""
    if is_same_socket(told.endpoint, wanted):
        return ok(f"it is {told.endpoint}{place}")
    if sight.manifest is not None and sight.manifest.bypassed:
        return warning("the shim is bypassed", "nsledger bypass --back")
    return failed(f"it is {told.endpoint or 'the default'}{place}, not {wanted}", _INSTALL)


def kubelet_connection(sight: Sight) -> Outcome:
    """Whose connections the shim has: the kubelet's must be one, and no straight one beside it."""
    if not sight.host.is_this_machine:
        return of_an_image()
    listed = kubelet_process.connections(sight.host)
    if listed is None:
        return unknown("ss tells no processes", "Run it as root, with iproute2 installed.")
    shim = kubelet_process.peers(listed, kubelet_process.inode(sight.shim_socket))
    straight = kubelet_process.peers(listed, kubelet_process.inode(sight.runtime_socket))
    main = kubelet_process.pid(sight.host)
    if _is_kubelet_in(straight, main):
        return failed(f"it is connected to {sight.runtime_socket}", "systemctl restart kubelet")
    if _is_kubelet_in(shim, main):
        names = ", ".join(sorted({name for _, name in shim}))
        return ok(f"connected to {sight.shim_socket}: {names}")
    return failed("the kubelet is not connected to the shim", "systemctl restart kubelet")


def _is_kubelet_in(processes: set[tuple[int, str]], main: int | None) -> bool:
    """By the unit's main process where systemd names one, else by its name."""
    return any(pid == main if main is not None else name == "kubelet" for pid, name in processes)


def ledger(sight: Sight) -> Outcome:
    """Where the records go."""
    if not sight.runs:
        return of_an_image()
    path = sight.host.outside(sight.ledger)
    if not os.path.isdir(path):
        return failed(f"{sight.ledger} is not there", "systemctl start nsledger makes it.")
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return failed(f"{sight.ledger} is on a read-only file system", "Mount it writable.")
    if sight.asking.last_record_ns(path) is None:
        return warning(f"{sight.ledger} has no record yet", "systemctl status nsledger")
    return ok(f"{sight.ledger} can be read and written")


def disk_room(sight: Sight) -> Outcome:
    """A full disk makes gaps; it fails no pod."""
    path = sight.host.outside(sight.ledger)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    free_bytes = found.f_bavail * found.f_frsize
    evidence = f"{free_bytes >> 20} MiB free where {sight.ledger} is"
    if free_bytes < min(_LEAST_ROOM_BYTES, found.f_blocks * found.f_frsize * _LEAST_ROOM_SHARE):
        return failed(evidence, "Free some: what cannot be written is recorded as a gap only.")
    return ok(evidence)


def hook_fires(sight: Sight) -> Outcome:
    """The whole way, once."""
    run = sight.asking.run_probe
    if run is None:
        return unknown("not tried", "--probe starts a throw-away pod and looks for its records.")
    run(
        sight.containerd,
        sight.host.outside(sight.shim_socket),
        sight.host.outside(sight.ledger),
    )
    return ok("a throw-away pod left the hook's and the shim's record")
