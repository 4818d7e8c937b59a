"""Checks of what was installed: files, hook, spool, daemon, kubelet, ledger."""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.model.endpoint import is_same_socket
from nsledger.node import hook_files, kubelet, kubelet_process
from nsledger.node.doctor.context import CheckContext
from nsledger.node.doctor.outcome import Outcome, failed, of_an_image, ok, unknown, warning
from nsledger.node.survey import require_interpreter

_INSTALL: Final = "Run `nsledger install`; with --dry-run it shows what it would change."
_PRIVATE_MODE: Final = 0o700
_WAITING_S: Final = 60.0
_LEAST_ROOM_BYTES: Final = 1 << 30
_LEAST_ROOM_SHARE: Final = 0.05


def installed_files(context: CheckContext) -> Outcome:
    """What another program wrote anew (kubeadm, a GPU operator) no longer has our lines."""
    if context.manifest is None:
        return failed("nothing is installed on this node", _INSTALL)
    gone: list[str] = []
    edited: list[str] = []
    for part in context.manifest.parts:
        for file in part.files:
            now = context.host.content(file.path)
            if now is None:
                gone.append(file.path)
            elif now.data != file.after.content.data:
                edited.append(file.path)
    if gone:
        return failed(f"gone: {', '.join(gone)}", _INSTALL)
    if edited:
        return warning(f"edited since: {', '.join(edited)}", _INSTALL)
    return ok(f"all as nsledger {context.manifest.version} left them")


def hook_interpreter(context: CheckContext) -> Outcome:
    """An interpreter that fails lets no container start, if the hook may fail them."""
    require_interpreter(context.host)
    return ok(f"{hook_files.INTERPRETER} runs, with json")


def hook_code(context: CheckContext) -> Outcome:
    """The copy that runs in every container start."""
    for path, code in hook_files.code().items():
        found = context.host.read(path)
        if found is None:
            return failed(f"{path} is not there", _INSTALL)
        if found != code:
            return warning(f"{path} is another version's", _INSTALL)
    if not context.host.glob(f"{hook_files.HOOK_DIRECTORY}/__pycache__/hook.*.pyc"):
        return warning("it is not compiled: each start takes longer", _INSTALL)
    return ok(f"this version's in {hook_files.HOOK_DIRECTORY}, compiled")


def spool(context: CheckContext) -> Outcome:
    """Records that wait are records that are not in the ledger."""
    if not context.runs:
        return of_an_image()
    path = context.host.outside(context.spool)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return failed(
            f"{context.spool} is not there: the hook's records are lost",
            "systemd-tmpfiles --create nsledger.conf",
        )
    if stat.S_IMODE(found.st_mode) != _PRIVATE_MODE or found.st_uid != 0:
        return failed(
            f"{context.spool} has mode {stat.S_IMODE(found.st_mode):o} and owner {found.st_uid}",
            f"chown root {context.spool}; chmod 700 {context.spool}: others could plant records.",
        )
    waiting = [entry.stat().st_mtime for entry in os.scandir(path) if entry.name[0] != "."]
    oldest_s = time.time() - min(waiting, default=time.time())
    if oldest_s > _WAITING_S:
        return failed(
            f"{len(waiting)} records wait, the oldest for {oldest_s:.0f} s",
            "The daemon takes them in: systemctl status nsledger",
        )
    return ok(f"{len(waiting)} records wait")


def service(context: CheckContext) -> Outcome:
    """Systemd's account of the daemon."""
    if not context.host.is_this_machine or not context.host.exists("/run/systemd/system"):
        return unknown("systemd does not run here")
    active = context.host.run("systemctl", "is-active", "nsledger.service").stdout.strip()
    enabled = context.host.run("systemctl", "is-enabled", "nsledger.service").stdout.strip()
    if active == "active" and enabled == "enabled":
        return ok("active and enabled")
    return failed(
        f"{active or 'unknown'} and {enabled or 'not enabled'}",
        "systemctl enable --now nsledger; journalctl -u nsledger says why it does not run.",
    )


def shim_socket(context: CheckContext) -> Outcome:
    """The kubelet's way to the runtime."""
    if not context.runs:
        return of_an_image()
    try:
        name, version = context.asking.runtime_version(context.host.outside(context.shim_socket))
    except NsledgerError as error:
        return failed(
            f"no runtime answers through {context.shim_socket} ({error})",
            "systemctl status nsledger; until it runs, `nsledger bypass` lets the kubelet go past.",
        )
    return ok(f"{name} {version} answers through {context.shim_socket}")


def kubelet_endpoint(context: CheckContext) -> Outcome:
    """What the running kubelet was told, and will be at its next start."""
    running = kubelet_process.argv(context.host)
    wanted = f"unix://{context.shim_socket}"
    told = kubelet.read(context.host, endpoint=wanted, running=running)
    place = f" ({told.stated.path}:{told.stated.line})" if told.stated else ""
    if is_same_socket(told.endpoint, wanted):
        return ok(f"it is {told.endpoint}{place}")
    if context.manifest is not None and context.manifest.bypassed:
        return warning("the shim is bypassed", "nsledger bypass --back")
    return failed(f"it is {told.endpoint or 'the default'}{place}, not {wanted}", _INSTALL)


def kubelet_connection(context: CheckContext) -> Outcome:
    """Whose connections the shim has: the kubelet's must be one, and no straight one beside it."""
    if not context.host.is_this_machine:
        return of_an_image()
    listed = kubelet_process.connections(context.host)
    if listed is None:
        return unknown("ss tells no processes", "Run it as root, with iproute2 installed.")
    shim = kubelet_process.peers(listed, kubelet_process.inode(context.shim_socket))
    straight = kubelet_process.peers(listed, kubelet_process.inode(context.runtime_socket))
    main = kubelet_process.pid(context.host)
    if _is_kubelet_in(straight, main):
        return failed(f"it is connected to {context.runtime_socket}", "systemctl restart kubelet")
    if _is_kubelet_in(shim, main):
        names = ", ".join(sorted({name for _, name in shim}))
        return ok(f"connected to {context.shim_socket}: {names}")
    return failed("the kubelet is not connected to the shim", "systemctl restart kubelet")


def _is_kubelet_in(processes: set[tuple[int, str]], main: int | None) -> bool:
    """By the unit's main process where systemd names one, else by its name."""
    return any(pid == main if main is not None else name == "kubelet" for pid, name in processes)


def ledger(context: CheckContext) -> Outcome:
    """Where the records go."""
    if not context.runs:
        return of_an_image()
    path = context.host.outside(context.ledger)
    if not os.path.isdir(path):
        return failed(f"{context.ledger} is not there", "systemctl start nsledger makes it.")
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return failed(f"{context.ledger} is on a read-only file system", "Mount it writable.")
    if context.asking.last_record_ns(path) is None:
        return warning(f"{context.ledger} has no record yet", "systemctl status nsledger")
    return ok(f"{context.ledger} can be read and written")


def disk_room(context: CheckContext) -> Outcome:
    """A full disk makes gaps; it fails no pod."""
    path = context.host.outside(context.ledger)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    free_bytes = found.f_bavail * found.f_frsize
    evidence = f"{free_bytes >> 20} MiB free where {context.ledger} is"
    if free_bytes < min(_LEAST_ROOM_BYTES, found.f_blocks * found.f_frsize * _LEAST_ROOM_SHARE):
        return failed(evidence, "Free some: what cannot be written is recorded as a gap only.")
    return ok(evidence)


def hook_fires(context: CheckContext) -> Outcome:
    """The whole way, once."""
    run = context.asking.run_probe
    if run is None:
        return unknown("not tried", "--probe starts a throw-away pod and looks for its records.")
    run(
        context.containerd,
        context.host.outside(context.shim_socket),
        context.host.outside(context.ledger),
    )
    return ok("a throw-away pod left the hook's and the shim's record")
