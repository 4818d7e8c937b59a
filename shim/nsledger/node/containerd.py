"""What containerd says is in force (`containerd config dump`), and which keys we add to it.

Pure. The versions of a configuration are two things: that of the dump tells which containerd this
is (2 comes out of 1.x only; 2.x prints a version 2 file as version 3), that of a file how its
section is called.

Source: containerd `docs/man/containerd-config.toml.5.md`, `docs/cri/config.md`,
`services/server/config` (1.x), `cmd/containerd/server/config` (2.x).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import tomlkit

from nsledger.errors import NsledgerError

ANNOTATIONS: Final = "nsledger.dev/*"
"""What `pod_annotations` and `container_annotations` must allow, or ours never reach the hook."""

DEFAULT_SOCKET: Final = "/run/containerd/containerd.sock"

_CRI_PLUGIN: Final = {
    2: "io.containerd.grpc.v1.cri",
    3: "io.containerd.cri.v1.runtime",
    4: "io.containerd.cri.v1.runtime",
}
"""The plugin whose section holds the runtime handlers, by the configuration's version."""

VERSIONS: Final = frozenset(_CRI_PLUGIN)
"""Of a configuration that we know the CRI section of."""

_REPLACING_VERSIONS: Final = frozenset({2})
"""Of a dump: there an import replaces a plugin's whole section instead of being merged into it."""

_IMAGES_PLUGIN: Final = "io.containerd.cri.v1.images"

_CRI_PLUGINS: Final = frozenset({"cri", *_CRI_PLUGIN.values()})

_OLD_TABLES: Final = {"default_runtime": "default", "untrusted_workload_runtime": "untrusted"}
"""Tables of old below `containerd`, and the handlers that they stand for.

Source: containerd 1.6, 1.7 `pkg/cri/config/config.go` `ValidatePluginConfig`.
"""

_RUNC_TYPES: Final = "io.containerd.runc."
"""What handlers have whose containers are processes of this kernel, started from an OCI spec."""

Table = dict[str, Any]


class UnsupportedConfigurationError(NsledgerError):
    """A configuration whose version has no CRI section that we know."""

    hint = (
        "`containerd config dump` prints all that is in force in the version that containerd has "
        "now (`containerd config migrate` the file alone, from containerd 2 on): put that in the "
        "file's place, and restart containerd."
    )

    def __init__(self, *, version: object) -> None:
        super().__init__(
            f"found containerd's configuration of version {version!r}, "
            f"needed one of {sorted(VERSIONS)}"
        )
        self.version = version


class CriDisabledError(NsledgerError):
    """A containerd that no kubelet can use."""

    hint = "Take it out of `disabled_plugins`; Docker's packages put it there."

    def __init__(self, *, plugin: str) -> None:
        super().__init__(f"found {plugin!r} among containerd's disabled plugins, needed it")
        self.plugin = plugin


@dataclass(frozen=True, slots=True)
class RuntimeHandler:
    """One entry of the CRI section's `containerd.runtimes`: what a RuntimeClass names."""

    name: str
    runtime_type: str
    """Such as `io.containerd.runc.v2`."""
    base_runtime_spec: str
    """Path of the spec that its containers start from; empty for the runtime's default."""
    pod_annotations: tuple[str, ...]
    """Patterns (Go's path.Match) of the pod's annotations that reach the OCI spec."""
    container_annotations: tuple[str, ...]
    table: Table
    """All of its entry, as containerd prints it."""
    place: tuple[str, ...] = ()
    """Keys of its table below `containerd`: `runtimes` and its name, or the table of old."""

    @property
    def is_runc(self) -> bool:
        """Whether a base spec of ours means to its containers what it means to runc's."""
        return self.runtime_type.startswith(_RUNC_TYPES)

    @classmethod
    def parse(cls, name: str, table: Table, place: tuple[str, ...] = ()) -> Self:
        """The handler `name` as its table says it; absent keys have containerd's zero values."""
        return cls(
            name=name,
            runtime_type=table.get("runtime_type", ""),
            base_runtime_spec=table.get("base_runtime_spec", ""),
            pod_annotations=tuple(table.get("pod_annotations") or ()),
            container_annotations=tuple(table.get("container_annotations") or ()),
            table=table,
            place=place or ("runtimes", name),
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is in force: the output of `containerd config dump`."""

    version: int
    cri: Table
    """The CRI section that holds the runtime handlers."""
    socket: str
    """Where containerd listens: the shim's upstream."""
    sandbox_image: str
    """Of every pod's sandbox: the one image that each node has."""

    @classmethod
    def parse(cls, dump: str) -> Self:
        """The configuration that `dump` prints.

        Raises:
            tomllib.TOMLDecodeError: it is not TOML.
            UnsupportedConfigurationError: of a version that we do not know.
            CriDisabledError: no kubelet can use it.
        """
        table = tomllib.loads(dump)
        for disabled in table.get("disabled_plugins") or ():
            if disabled in _CRI_PLUGINS:
                raise CriDisabledError(plugin=disabled)
        version = table.get("version", 1)
        plugins: Table = table.get("plugins", {})
        cri: Table = plugins.get(cri_plugin(version), {})
        pinned: Table = plugins.get(_IMAGES_PLUGIN, {}).get("pinned_images", {})
        return cls(
            version=version,
            cri=cri,
            socket=table.get("grpc", {}).get("address") or DEFAULT_SOCKET,
            sandbox_image=cri.get("sandbox_image") or pinned.get("sandbox", ""),
        )

    @property
    def has_systemd_cgroup(self) -> bool:
        """Whether cgroups are named as slices: any handler that says so speaks for the node."""
        return any(
            handler.table.get("options", {}).get("SystemdCgroup")
            for handler in self.handlers.values()
        )

    @property
    def merges_imports(self) -> bool:
        """Whether a drop-in may name our keys only (containerd 2.x)."""
        return self.version not in _REPLACING_VERSIONS

    @property
    def handlers(self) -> dict[str, RuntimeHandler]:
        """The runtime handlers, by name.

        containerd 1.x makes handlers of two tables of old, if they have a type.
        """
        section: Table = self.cri.get("containerd", {})
        runtimes: Table = section.get("runtimes") or {}
        found = {name: RuntimeHandler.parse(name, table) for name, table in runtimes.items()}
        for key, name in _OLD_TABLES.items():
            table: Table = section.get(key) or {}
            if table.get("runtime_type"):
                found[name] = RuntimeHandler.parse(name, table, (key,))
        return found

    @property
    def default_handler(self) -> str:
        """What a pod without a RuntimeClass gets."""
        section: Table = self.cri.get("containerd", {})
        old: Table = section.get("default_runtime") or {}
        if old.get("runtime_type"):
            return _OLD_TABLES["default_runtime"]
        name: str = section.get("default_runtime_name") or "runc"
        return name


def cri_plugin(version: object) -> str:
    """The name of the section that holds the runtime handlers, in a file of `version`.

    Raises:
        UnsupportedConfigurationError: of a version that we do not know.
    """
    plugin = _CRI_PLUGIN.get(version) if isinstance(version, int) else None
    if plugin is None:
        raise UnsupportedConfigurationError(version=version)
    return plugin


def our_keys(
    base_runtime_spec: str, *, pod_annotations: Iterable[str], container_annotations: Iterable[str]
) -> Table:
    """What nsledger sets for one handler. A list replaces a list: the admin's stand before ours."""
    return {
        "base_runtime_spec": base_runtime_spec,
        "pod_annotations": _allowing_ours(pod_annotations),
        "container_annotations": _allowing_ours(container_annotations),
    }


def drop_in(version: int, tables: Mapping[tuple[str, ...], Table]) -> str:
    """The TOML text of a drop-in in `version` that gives each handler, by its place, its keys."""
    section: Table = {"containerd": {}}
    for place, keys in tables.items():
        at = section["containerd"]
        for key in place[:-1]:
            at = at.setdefault(key, {})
        at[place[-1]] = dict(keys)
    added: Table = {"version": version, "plugins": {cri_plugin(version): section}}
    return f"# Generated by nsledger; `nsledger uninstall` takes it away.\n{tomlkit.dumps(added)}"


def _allowing_ours(patterns: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*patterns, ANNOTATIONS]))
