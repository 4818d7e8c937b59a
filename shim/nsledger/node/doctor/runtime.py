"""Checks of the runtime and of its configuration: the traps in which nodes get stuck."""

from __future__ import annotations

import json
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
from nsledger.node.doctor.context import CheckContext
from nsledger.node.doctor.outcome import Outcome, failed, of_an_image, ok, unknown, warning
from nsledger.node.hook_files import HOOK_DIRECTORY, crio_hook, entry
from nsledger.node.survey import base_spec

_INSTALL: Final = "Run `nsledger install`; with --dry-run it shows what it would change."
_RESTART: Final = "systemctl restart containerd; running pods go on."
_TESTED: Final = {"containerd": ((1, 6), (2, 4)), "cri-o": ((1, 24), (2, 0))}
"""First tested version, and the first that is not."""
_CONTAINERDS_BUNDLES: Final = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
_CRIOS_BUNDLES: Final = "/run/containers/storage/overlay-containers"
_BUNDLES: Final = (_CONTAINERDS_BUNDLES, _CRIOS_BUNDLES)
_SPEC_OF: Final = {
    _CONTAINERDS_BUNDLES: ("config.json",),
    _CRIOS_BUNDLES: ("userdata", "config.json"),
}
_KINDS: Final = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
"""Annotations that tell a container from a sandbox, in which no hook runs."""
_RESTART_S: Final = 60.0
"""Within it the runtime is restarted after its files were written."""
_KEYS: Final = ("pod_annotations", "container_annotations")


def containerd_configuration(context: CheckContext) -> Outcome:
    """Every file is TOML, containerd prints what is in force, and CRI is on."""
    found = context.containerd
    names = ", ".join(file.path for file in found.files) or "none: containerd's defaults"
    return ok(f"version {found.version}, files: {names}")


def runtime_socket(context: CheckContext) -> Outcome:
    """The shim's upstream."""
    if not context.runs:
        return of_an_image()
    try:
        name, version = context.asking.runtime_version(context.host.outside(context.runtime_socket))
    except NsledgerError as error:
        return failed(
            f"nobody answers as a runtime at {context.runtime_socket} ({error})",
            f"systemctl start {'crio' if context.is_crio else 'containerd'}; `upstream` in "
            "nsledger.toml names another socket.",
        )
    return ok(f"{name} {version} answers at {context.runtime_socket}")


def runtime_version(context: CheckContext) -> Outcome:
    """A version whose configuration and answers are known."""
    if not context.runs:
        return of_an_image()
    try:
        name, version = context.asking.runtime_version(context.host.outside(context.runtime_socket))
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


def handlers(context: CheckContext) -> Outcome:
    """A handler that was forgotten starts containers that no hook sees."""
    if context.is_crio:
        return _hook_of_crio(context)
    found, ours = context.containerd, context.our_specs
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


def _hook_of_crio(context: CheckContext) -> Outcome:
    """CRI-O runs what its hooks directories name; of two files of one name the later counts."""
    found = context.crio
    named = ", ".join(found.in_force) or "none"
    entries = [
        path
        for path in hook_files_in(context.host, found.in_force)
        if posixpath.basename(path) == crio.HOOK
    ]
    if not entries:
        where = found.stated or "CRI-O's default"
        return failed(f"no {crio.HOOK} in hooks_dir ({named}; {where})", _INSTALL)
    if context.host.read(entries[-1]) != crio_hook():
        return warning(f"{entries[-1]} is not this version's", _INSTALL)
    return ok(f"{entries[-1]} is in hooks_dir; --probe shows whether it fires")


def whole_base_specs(context: CheckContext) -> Outcome:
    """A spec that is not whole puts containers into the host's pid and mount namespaces."""
    wanted = msgspec.json.decode(msgspec.json.encode(entry()))
    seen: list[str] = []
    for handler in context.containerd.handlers:
        path = handler.base_runtime_spec
        if not path or path in seen:
            continue
        seen.append(path)
        data = context.host.read(path)
        if data is None:
            return failed(f"{path} is not there: containerd will not start with it", _INSTALL)
        spec = msgspec.json.decode(data, type=Spec)
        missing = missing_parts(spec)
        if missing:
            return failed(f"{path} has no {', '.join(missing)}", _INSTALL)
        hooks = create_runtime_hooks(spec)
        if path in context.our_specs and wanted not in hooks:
            return failed(f"{path} does not name this version's hook", _INSTALL)
        for hook in hooks:
            if not context.host.exists(hook["path"]):
                return failed(f"{path} names {hook['path']}, which is not there", _INSTALL)
    return ok(", ".join(seen) or "none is set")


def current_base_specs(context: CheckContext) -> Outcome:
    """Ours is a copy: what the admin or an upgrade changed since is not in it."""
    stale: list[str] = []
    for handler in context.containerd.handlers:
        path = handler.base_runtime_spec
        if path not in context.our_specs:
            continue
        source = admins_base_spec(context.containerd, handler, context.our_specs)
        spec = base_spec(context.host, context.program, handler.name, source)
        made = base_specs.contents({source: spec}, entry())
        if made != {path: context.host.read(path)}:
            stale.append(f"{path} (from {source or 'the default'})")
    if stale:
        return warning(f"another would be made today: {', '.join(sorted(set(stale)))}", _INSTALL)
    return ok("each is what would be made today")


def rlimits(context: CheckContext) -> Outcome:
    """`ctr oci spec` has a limit of 1024 open files, which every container would get."""
    for path, source in context.our_specs.items():
        data = context.host.read(path)
        if data is None or source:
            continue
        process: Spec = msgspec.json.decode(data, type=Spec).get("process") or {}
        if process.get("rlimits"):
            return failed(f"{path} sets limits that the node's default did not", _INSTALL)
    return ok("our base specs set no limits of their own")


def allowed_annotations(context: CheckContext) -> Outcome:
    """A list replaces a list: one that is set later takes ours, or ours takes the admin's."""
    found = context.containerd
    for handler in found.handlers:
        for key, effective in zip(
            _KEYS, (handler.pod_annotations, handler.container_annotations), strict=True
        ):
            lost = {ANNOTATIONS, *admins_list(found, handler, key)} - set(effective)
            if lost:
                return failed(f"{handler.name}: {key} lacks {', '.join(sorted(lost))}", _INSTALL)
    return ok(f"{ANNOTATIONS} passes in every handler")


def running_specs(context: CheckContext) -> Outcome:
    """The spec that a container runs with shows what is in force, whatever the files say."""
    if not context.runs:
        return of_an_image()
    if context.manifest is None:
        return failed("nothing is installed on this node", _INSTALL)
    files = [file.path for part in context.manifest.parts for file in part.files]
    installed_s = max(
        (
            os.stat(context.host.outside(path)).st_mtime
            for path in files
            if context.host.exists(path)
        ),
        default=0.0,
    )
    hooked: list[str] = []
    unhooked: list[str] = []
    for directory in _BUNDLES:
        for container_id in context.host.names(directory):
            path = posixpath.join(directory, container_id, *_SPEC_OF[directory])
            spec = _application_spec(context, path, since_s=installed_s + _RESTART_S)
            if spec is not None:
                is_hooked = HOOK_DIRECTORY in json.dumps(spec.get("hooks"))
                (hooked if is_hooked else unhooked).append(container_id[:12])
    if unhooked:
        names = ", ".join(unhooked[:3])
        return failed(f"{len(unhooked)} run without the hook in their spec, as {names}", _INSTALL)
    if not hooked:
        return unknown("no container started since the installation")
    return ok(f"{len(hooked)} that started since the installation have the hook in their spec")


def _application_spec(context: CheckContext, path: str, *, since_s: float) -> Spec | None:
    """The spec of a kubelet's container, begun after `since_s`; None for all else."""
    try:
        if os.stat(context.host.outside(path)).st_mtime < since_s:
            return None
        data = context.host.read(path)
    except FileNotFoundError:
        return None
    spec = msgspec.json.decode(data, type=Spec) if data else {}
    annotations: dict[str, str] = spec.get("annotations") or {}
    kind = next((annotations[key] for key in _KINDS if key in annotations), "")
    others = [one.name for one in context.containerd.others] if not context.is_crio else []
    is_other = annotations.get("io.containerd.cri.runtime-handler") in others
    return spec if kind == "container" and not is_other else None


def configuration_loaded(context: CheckContext) -> Outcome:
    """A running containerd knows the files as they were when it started."""
    if not context.host.is_this_machine:
        return of_an_image()
    if context.is_crio:
        return _crio_loaded(context)
    pids = [pid for pid in os.listdir("/proc") if pid.isdecimal() and _name(pid) == "containerd"]
    if not pids:
        return failed("no process is called containerd", "Start it: systemctl start containerd")
    started_s = max(os.stat(f"/proc/{pid}").st_mtime for pid in pids)
    read = [file.path for file in context.containerd.files]
    read += [path for path in context.our_specs if context.host.exists(path)]
    newer = [path for path in read if os.stat(context.host.outside(path)).st_mtime > started_s]
    if newer:
        return failed(f"changed since containerd started: {', '.join(newer)}", _RESTART)
    return ok("containerd started after the last change")


def _crio_loaded(context: CheckContext) -> Outcome:
    """CRI-O looks at the directories that were there when it started, and at their files since."""
    pids = [pid for pid in os.listdir("/proc") if pid.isdecimal() and _name(pid) == "crio"]
    if not pids:
        return failed("no process is called crio", "Start it: systemctl start crio")
    started_s = max(os.stat(f"/proc/{pid}").st_mtime for pid in pids)
    if context.host.exists(crio.DROP_IN):
        if os.stat(context.host.outside(crio.DROP_IN)).st_mtime > started_s:
            return failed(f"{crio.DROP_IN} is newer than CRI-O's start", "systemctl restart crio")
        return ok("CRI-O started after its hooks_dir was set")
    return unknown("whether its hooks directory was there when CRI-O started cannot be told")


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
