"""From what is on a node to what is to be done to it; it looks at files and changes none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import tomlkit

from nsledger.errors import NsledgerError
from nsledger.node import base_specs, crio, hook_files, kubelet, unit_templates
from nsledger.node.changes import Command, FileChange, Missing, Part, Phase, Plan
from nsledger.node.containerd import DEFAULT_SOCKET
from nsledger.node.containerd_files import GeneratedConfigurationError, Keeper
from nsledger.node.containerd_plan import changed_files
from nsledger.node.root import Content, Host
from nsledger.node.settings import ENDPOINT, NSLEDGER_TOML, Settings
from nsledger.node.survey import Survey

_MODE: Final = 0o644
_PRIVATE_MODE: Final = 0o600
_DROPPED_IN: Final = ("containerd", "kubelet")
"""Services that a drop-in of ours orders."""
_UNITS: Final = ("nsledger.service", "nsledger-verify.timer")

Files = Mapping[str, bytes]


def plan(host: Host, found: Survey, *, program: str, parts: frozenset[Part]) -> Plan:
    """Everything that an installation of `parts` still has to do on the node.

    Args:
        host: where files are looked at.
        found: the node.
        program: absolute path of `nsledger`, for the units.
        parts: what is to be installed.

    Raises:
        NsledgerError: it cannot be done; the message says what stands against it.
    """
    phases: list[Phase] = []
    notes: list[str] = []
    for part in Part:
        if part not in parts:
            continue
        phase = _phase(host, found, part, program=program, notes=notes)
        known = found.manifest is not None and found.manifest.part(part) is not None
        bypassed = found.manifest is not None and found.manifest.bypassed
        # Again where the first time was not ours to finish: a bypass is ended by the same step.
        # A package brings its units itself: they are to be enabled and started all the same.
        is_anything = bool(phase.files or phase.commands)
        if is_anything and (phase.changes or not known or (bypassed and part is Part.KUBELET)):
            phases.append(phase)
    if found.containerd is not None and Part.CONTAINERD in parts:
        notes += [
            f"handler {one.name} ({one.runtime_type}) is left as it is: its containers are no "
            "processes of this kernel, or nsledger does not know them"
            for one in found.containerd.others
        ]
    missing: tuple[Missing, ...] = ()
    if isinstance(found.kubelet, kubelet.KubeletNotFoundError) and Part.KUBELET in parts:
        missing = (Missing(Part.KUBELET, str(found.kubelet)),)
    sources = tuple((base_specs.path_for(source), source) for source in found.specs)
    return Plan(
        phases=tuple(phases),
        notes=tuple(notes),
        missing=missing,
        sources=sources,
        program=found.runtime.program if found.containerd else "",
        main=found.runtime.main if found.containerd else "",
    )


def _phase(host: Host, found: Survey, part: Part, *, program: str, notes: list[str]) -> Phase:
    match part:
        case Part.HOOK:
            return _hook(host, found)
        case Part.SHIM:
            return _shim(host, found, program)
        case Part.CONTAINERD:
            return _runtime(host, found, notes)
        case Part.KUBELET:
            return _kubelet(host, found, notes)


def _hook(host: Host, found: Survey) -> Phase:
    specs = base_specs.contents(found.specs, hook_files.entry())
    compiled = f"{hook_files.HOOK_DIRECTORY}/__pycache__"
    return Phase(
        part=Part.HOOK,
        files=_changes(host, {**hook_files.code(), **specs}),
        commands=(
            Command(hook_files.compile_command(), "the hook starts faster from compiled code"),
        ),
        undo_before=(Command(("rm", "-rf", compiled), "compiled code is ours too"),),
    )


def _shim(host: Host, found: Survey, program: str) -> Phase:
    files = unit_templates.shim_files(program, host.exists)
    socket = runtime_socket(found)
    if _is_admins(found, host):
        Settings.of(host).require(upstream=socket)
    elif socket != DEFAULT_SOCKET:
        files[NSLEDGER_TOML] = tomlkit.dumps({"upstream": socket}).encode()
    enable = Command(("systemctl", "enable", *_UNITS), "they start with the node")
    disable = Command(("systemctl", "disable", *_UNITS), "they start with the node no more")
    if not found.systemd_runs:
        offline = (enable,) if found.has_systemctl else ()
        undo = (disable,) if found.has_systemctl else ()
        return Phase(Part.SHIM, _changes(host, files), offline, undo_before=undo)
    return Phase(
        part=Part.SHIM,
        files=_changes(host, files),
        commands=(
            Command(("systemd-tmpfiles", "--create", "nsledger.conf"), "the spool is made"),
            _reload(),
            enable,
            Command(("systemctl", "restart", *_UNITS), "the socket is there before it is used"),
        ),
        undo_before=(
            Command(("systemctl", "stop", *_UNITS), "the kubelet calls it no more"),
            disable,
        ),
        undo_after=(_reload(),),
    )


def _runtime(host: Host, found: Survey, notes: list[str]) -> Phase:
    if found.crio is not None:
        return _crio(host, found, found.crio, notes)
    if found.containerd is None:
        return Phase(Part.CONTAINERD, ())
    specs = {name: base_specs.path_for(source) for name, source in found.spec_of.items()}
    wanted = {path: text.encode() for path, text in changed_files(found.containerd, specs).items()}
    for path in wanted:
        if host.is_volatile(path):
            keeper = Keeper("a file on a tmpfs, which the next boot takes away", "what fills it")
            raise GeneratedConfigurationError(path=path, keeper=keeper)
    return _configured(host, found, Part.CONTAINERD, wanted, notes=notes)


def _crio(host: Host, found: Survey, engine: crio.Crio, notes: list[str]) -> Phase:
    """The hook, in a directory that CRI-O looks into; the drop-in and restart that it may need."""
    place = crio.hook_place(host, engine)
    wanted = {place.path: hook_files.crio_hook()}
    if place.drop_in is not None:
        wanted[crio.DROP_IN] = place.drop_in
    files = _changes(host, wanted)
    if not place.is_new:
        return Phase(Part.CONTAINERD, files)
    if not found.systemd_runs:
        notes.append("crio has to be restarted: it does not look into a new directory")
        return Phase(Part.CONTAINERD, files)
    restart = Command(("systemctl", "restart", "crio"), "it looks into the new directory")
    return Phase(Part.CONTAINERD, files, (restart,), undo_after=(restart,))


def runtime_socket(found: Survey) -> str:
    """Where the runtime listens: the shim's upstream."""
    if found.containerd is not None:
        return found.containerd.configuration.socket
    return found.crio.socket if found.crio is not None else DEFAULT_SOCKET


def _kubelet(host: Host, found: Survey, notes: list[str]) -> Phase:
    told = found.kubelet
    match told:
        case kubelet.KubeletNotFoundError():
            notes.append(f"{told}. {told.hint}")
            return Phase(Part.KUBELET, ())
        case NsledgerError():
            raise told
        case _:
            path, data = kubelet.edit(host, told, ENDPOINT)
    return _configured(host, found, Part.KUBELET, {path: data}, notes=notes)


def _configured(host: Host, found: Survey, part: Part, wanted: Files, *, notes: list[str]) -> Phase:
    """Configuration of the service that `part` is named for, its drop-in, and its restart."""
    service = found.runtime.service if part is Part.CONTAINERD else part.value
    if found.has_systemctl and service in _DROPPED_IN:
        path, text = unit_templates.drop_in(f"{service}.service.conf")
        wanted = {**wanted, path: text}
    files = _changes(host, wanted)
    if not found.systemd_runs:
        if any(file.changes for file in files):
            notes.append(f"{service} has to be restarted: its old configuration is in force")
        return Phase(part, files)
    restart = Command(("systemctl", "restart", service), "the new configuration is in force")
    return Phase(part, files, (_reload(), restart), undo_after=(_reload(), restart))


def _reload() -> Command:
    return Command(("systemctl", "daemon-reload"), "systemd reads the units")


def _is_admins(found: Survey, host: Host) -> bool:
    """Whether nsledger.toml is there and not from an installation of ours."""
    part = found.manifest.part(Part.SHIM) if found.manifest else None
    ours = {file.path for file in part.files} if part else set[str]()
    return host.exists(NSLEDGER_TOML) and NSLEDGER_TOML not in ours


def _changes(host: Host, wanted: Files) -> tuple[FileChange, ...]:
    """What is to be written, with what is there now; mode and owner of a file stay."""
    changes: list[FileChange] = []
    for path, data in wanted.items():
        resolved = host.resolve(path)
        before = host.content(resolved)
        mode = _PRIVATE_MODE if path == NSLEDGER_TOML else _MODE
        after = (
            Content(data, before.mode, before.uid, before.gid) if before else Content(data, mode)
        )
        changes.append(FileChange(resolved, before, after))
    return tuple(changes)
