"""Checks of the runtime and of its configuration: the traps in which nodes get stuck."""

from __future__ import annotations

import os
import posixpath
import re
from typing import Final

import msgspec

from nsledger.errors import NsledgerError
from nsledger.node import base_specs, crio
from nsledger.node.base_runtime_spec import Spec, create_runtime_hooks, missing_parts
from nsledger.node.containerd import ANNOTATIONS
from nsledger.node.containerd_plan import admins_base_spec, admins_list
from nsledger.node.crio import hook_files_in
from nsledger.node.doctor.outcome import Outcome, failed, of_an_image, ok, unknown, warning
from nsledger.node.doctor.sight import Sight
from nsledger.node.hook_files import crio_hook, entry
from nsledger.node.survey import base_spec

_INSTALL: Final = "Run `nsledger install`; with --dry-run it shows what it would change."
_RESTART: Final = "systemctl restart containerd; running pods go on."
_TESTED: Final = {"containerd": ((1, 6), (2, 4)), "cri-o": ((1, 24), (2, 0))}
"""First tested version, and the first that is not."""
_KEYS: Final = ("pod_annotations", "container_annotations")


def containerd_configuration(sight: Sight) -> Outcome:
    """Every file is TOML, containerd prints what is in force, and CRI is on."""
    found = sight.containerd
    names = ", ".join(file.path for file in found.files) or "none: containerd's defaults"
    return ok(f"version {found.version}, files: {names}")


def runtime_socket(sight: Sight) -> Outcome:
    """The shim's upstream."""
    if not sight.runs:
        return of_an_image()
    try:
        name, version = sight.asking.runtime_version(sight.host.outside(sight.runtime_socket))
    except NsledgerError as error:
        return failed(
            f"nobody answers as a runtime at {sight.runtime_socket} ({error})",
            f"systemctl start {'crio' if sight.is_crio else 'containerd'}; `upstream` in "
            "nsledger.toml names another socket.",
        )
    return ok(f"{name} {version} answers at {sight.runtime_socket}")


def runtime_version(sight: Sight) -> Outcome:
    """A version whose configuration and answers are known."""
    if not sight.runs:
        return of_an_image()
    try:
        name, version = sight.asking.runtime_version(sight.host.outside(sight.runtime_socket))
    except NsledgerError:
        return unknown("no runtime answers", "See runtime-socket.")
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    tested = _TESTED.get(name)
    if numbers is None or tested is None:
        return unknown(f"{name} {version} is not known to nsledger")
    found = (int(numbers[1]), int(numbers[2]))
    if tested[0] <= found < tested[1]:
        return ok(f"{name} {version}")
    return warning(f"{name} {version} is not tested", "Try `make test` of nsledger with it first.")


def handlers(sight: Sight) -> Outcome:
    """A handler that was forgotten starts containers that no hook sees."""
    if sight.is_crio:
        return _hook_of_crio(sight)
    found, ours = sight.containerd, sight.our_specs
    missed = [one.name for one in found.handlers if one.base_runtime_spec not in ours]
    if missed:
        return failed(f"no base spec with the hook: {', '.join(missed)}", _INSTALL)
    hooked = ", ".join(one.name for one in found.handlers)
    if found.others:
        names = ", ".join(f"{one.name} ({one.runtime_type})" for one in found.others)
        return warning(
            f"hooked: {hooked}; left alone: {names}",
            "Their containers are on record as unobservable; nothing has to be done.",
        )
    return ok(f"hooked: {hooked}")


def _hook_of_crio(sight: Sight) -> Outcome:
    """CRI-O runs what its hooks directories name; of two files of one name the later counts."""
    found = sight.crio
    named = ", ".join(found.in_force) or "none"
    entries = [
        path
        for path in hook_files_in(sight.host, found.in_force)
        if posixpath.basename(path) == crio.HOOK
    ]
    if not entries:
        where = found.stated or "CRI-O's default"
        return failed(f"no {crio.HOOK} in hooks_dir ({named}; {where})", _INSTALL)
    if sight.host.read(entries[-1]) != crio_hook():
        return warning(f"{entries[-1]} is not this version's", _INSTALL)
    return ok(f"{entries[-1]} is in hooks_dir; --probe shows whether it fires")


def whole_base_specs(sight: Sight) -> Outcome:
    """A spec that is not whole puts containers into the host's pid and mount namespaces."""
    wanted = msgspec.json.decode(msgspec.json.encode(entry()))
    seen: list[str] = []
    for handler in sight.containerd.handlers:
        path = handler.base_runtime_spec
        if not path or path in seen:
            continue
        seen.append(path)
        data = sight.host.read(path)
        if data is None:
            return failed(f"{path} is not there: containerd will not start with it", _INSTALL)
        spec = msgspec.json.decode(data, type=Spec)
        missing = missing_parts(spec)
        if missing:
            return failed(f"{path} has no {', '.join(missing)}", _INSTALL)
        hooks = create_runtime_hooks(spec)
        if path in sight.our_specs and wanted not in hooks:
            return failed(f"{path} does not name this version's hook", _INSTALL)
        for hook in hooks:
            if not sight.host.exists(hook["path"]):
                return failed(f"{path} names {hook['path']}, which is not there", _INSTALL)
    return ok(", ".join(seen) or "none is set")


def current_base_specs(sight: Sight) -> Outcome:
    """Ours is a copy: what the admin or an upgrade changed since is not in it."""
    stale: list[str] = []
    for handler in sight.containerd.handlers:
        path = handler.base_runtime_spec
        if path not in sight.our_specs:
            continue
        source = admins_base_spec(sight.containerd, handler, sight.our_specs)
        spec = base_spec(sight.host, sight.program, handler.name, source)
        made = base_specs.contents({source: spec}, entry())
        if made != {path: sight.host.read(path)}:
            stale.append(f"{path} (from {source or 'the default'})")
    if stale:
        return warning(f"another would be made today: {', '.join(sorted(set(stale)))}", _INSTALL)
    return ok("each is what would be made today")


def rlimits(sight: Sight) -> Outcome:
    """`ctr oci spec` has a limit of 1024 open files, which every container would get."""
    for path, source in sight.our_specs.items():
        data = sight.host.read(path)
        if data is None or source:
            continue
        process: Spec = msgspec.json.decode(data, type=Spec).get("process") or {}
        if process.get("rlimits"):
            return failed(f"{path} sets limits that the node's default did not", _INSTALL)
    return ok("our base specs set no limits of their own")


def allowed_annotations(sight: Sight) -> Outcome:
    """A list replaces a list: one that is set later takes ours, or ours takes the admin's."""
    found = sight.containerd
    for handler in found.handlers:
        for key, effective in zip(
            _KEYS, (handler.pod_annotations, handler.container_annotations), strict=True
        ):
            lost = {ANNOTATIONS, *admins_list(found, handler, key)} - set(effective)
            if lost:
                return failed(f"{handler.name}: {key} lacks {', '.join(sorted(lost))}", _INSTALL)
    return ok(f"{ANNOTATIONS} passes in every handler")


def configuration_loaded(sight: Sight) -> Outcome:
    """A running containerd knows the files as they were when it started."""
    if not sight.host.is_this_machine:
        return of_an_image()
    if sight.is_crio:
        return _crio_loaded(sight)
    pids = [pid for pid in os.listdir("/proc") if pid.isdecimal() and _name(pid) == "containerd"]
    if not pids:
        return failed("no process is called containerd", "Start it: systemctl start containerd")
    started_s = max(os.stat(f"/proc/{pid}").st_mtime for pid in pids)
    read = [file.path for file in sight.containerd.files]
    read += [path for path in sight.our_specs if sight.host.exists(path)]
    newer = [path for path in read if os.stat(sight.host.outside(path)).st_mtime > started_s]
    if newer:
        return failed(f"changed since containerd started: {', '.join(newer)}", _RESTART)
    return ok("containerd started after the last change")


def _crio_loaded(sight: Sight) -> Outcome:
    """CRI-O looks at the directories that were there when it started, and at their files since."""
    pids = [pid for pid in os.listdir("/proc") if pid.isdecimal() and _name(pid) == "crio"]
    if not pids:
        return failed("no process is called crio", "Start it: systemctl start crio")
    started_s = max(os.stat(f"/proc/{pid}").st_mtime for pid in pids)
    if sight.host.exists(crio.DROP_IN):
        if os.stat(sight.host.outside(crio.DROP_IN)).st_mtime > started_s:
            return failed(f"{crio.DROP_IN} is newer than CRI-O's start", "systemctl restart crio")
        return ok("CRI-O started after its hooks_dir was set")
    return unknown("whether its hooks directory was there when CRI-O started cannot be told")


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
