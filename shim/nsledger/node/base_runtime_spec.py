"""containerd's `base_runtime_spec` with our hook in it: a JSON text in, a JSON text out, no I/O.

The file *replaces* the spec that containerd starts every application container from, so it must be
whole: a spec that lists only hooks would put every container of the node into the host's pid and
mount namespaces. It therefore begins with what the node has: the runtime's own default
(`ctr oci spec` of that node) or the base spec that an admin already set.

Source: OCI runtime-spec `config.md`, `config-linux.md`; containerd `pkg/cri/server`
(1.x), `internal/cri/server` (2.x): `WithoutDefaultSecuritySettings`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from nsledger.errors import NsledgerError

Spec = dict[str, Any]
"""An OCI runtime spec, decoded. What this version has no name for stays in it."""

_NEEDED_NAMESPACES: Final = ("ipc", "mount", "network", "pid", "uts")


class OciHook(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the spec's `hooks`, by the specification's names."""

    path: str
    """Absolute: the runtime does not search PATH."""
    args: tuple[str, ...]
    """The whole argv: `args[0]` is the program's name for itself."""
    env: tuple[str, ...] = ("LC_ALL=C.UTF-8",)
    """Never empty: Go drops an empty list on the way, and an absent one inherits the runtime's
    environment, proxies and tokens included."""
    timeout: int
    """Seconds. Without one a hook that hangs would hang the container's start for ever."""

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or not self.args or not self.env or self.timeout <= 0:
            raise UnusableHookError(self)


class UnusableHookError(NsledgerError):
    """A hook that a runtime would refuse, or that could block a container's start."""

    def __init__(self, hook: OciHook) -> None:
        super().__init__(
            f"found path {hook.path!r}, {len(hook.args)} args, {len(hook.env)} env, "
            f"timeout {hook.timeout}; needed an absolute path, args, env and a timeout of 1 or more"
        )
        self.hook = hook


class IncompleteSpecError(NsledgerError):
    """A base spec with which containers would lack what every container must have."""

    hint = "Start from the runtime's own default: `ctr oci spec`."

    def __init__(self, *, missing: tuple[str, ...]) -> None:
        super().__init__(f"the base spec has no {', '.join(missing)}; it replaces the whole spec")
        self.missing = missing


def from_default(default: bytes, hook: OciHook) -> bytes:
    """The base spec of a node that had none, from its runtime's default (`ctr oci spec`).

    containerd strips three security defaults from its built-in spec before it applies the pod's
    own settings, and leaves that out for a base spec; so they are stripped here. Otherwise every
    container of the node would be limited to 1024 open files.

    Raises:
        IncompleteSpecError: `default` is not a whole spec.
        msgspec.DecodeError: it is not JSON.
    """
    spec = _decode(default)
    process, linux = spec["process"], spec["linux"]
    process.pop("rlimits", None)
    process.pop("apparmorProfile", None)
    linux.pop("seccomp", None)
    return _with_hook(spec, hook)


def from_existing(existing: bytes, hook: OciHook) -> bytes:
    """The base spec of a node whose admin set one: `existing`, and the hook. Nothing is taken out.

    Raises:
        IncompleteSpecError: `existing` is not a whole spec.
        msgspec.DecodeError: it is not JSON.
    """
    return _with_hook(_decode(existing), hook)


def _decode(text: bytes) -> Spec:
    spec = msgspec.json.decode(text, type=Spec)
    missing = tuple(missing_parts(spec))
    if missing:
        raise IncompleteSpecError(missing=missing)
    return spec


def missing_parts(spec: Spec) -> list[str]:
    """What every container needs and `spec` has not, in words; empty if it is whole."""
    linux: dict[str, Any] = spec.get("linux") or {}
    namespaces: list[dict[str, Any]] = linux.get("namespaces") or []
    listed = {namespace.get("type") for namespace in namespaces}
    return [key for key in ("process", "root", "mounts") if not spec.get(key)] + [
        f"{type_} namespace" for type_ in _NEEDED_NAMESPACES if type_ not in listed
    ]


def create_runtime_hooks(spec: Spec) -> list[Spec]:
    """The hooks of the stage that nsledger's is in."""
    hooks: dict[str, list[Spec]] = spec.get("hooks") or {}
    return hooks.get("createRuntime") or []


def _with_hook(spec: Spec, hook: OciHook) -> bytes:
    """`hook` behind the stage's other hooks; once, however often it is added.

    createRuntime only: a runtime that runs it runs prestart as well, and would record twice.
    """
    added: Spec = msgspec.json.decode(msgspec.json.encode(hook))
    hooks = spec.setdefault("hooks", {})
    hooks["createRuntime"] = [
        other for other in hooks.get("createRuntime") or () if other != added
    ] + [added]
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"
