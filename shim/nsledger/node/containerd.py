"""The part of containerd's configuration that nsledger needs, as a drop-in: text in, text out.

It is generated from the *effective* configuration (`containerd config dump`), because a drop-in
means different things to different versions:

* version 2 (containerd 1.6, 1.7): an import replaces the whole table of a plugin, so the drop-in
  must repeat the complete CRI section;
* version 3 (containerd 2.x): tables are merged, so it names our keys only.

In both, a list replaces a list: what an admin allowed is repeated in front of ours. Version 2's
`containerd config dump` comes out of 1.x only; 2.x prints what it made of a version 2 file as
version 3.

Source: containerd `docs/man/containerd-config.toml.5.md`, `docs/cri/config.md`,
`services/server/config` (1.x), `cmd/containerd/server/config` (2.x).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, cast

import tomlkit

from nsledger.errors import NsledgerError

ANNOTATIONS: Final = "nsledger.dev/*"
"""What `pod_annotations` and `container_annotations` must allow, or ours never reach the hook."""

_CRI_PLUGIN: Final = {
    2: "io.containerd.grpc.v1.cri",
    3: "io.containerd.cri.v1.runtime",
    4: "io.containerd.cri.v1.runtime",
}
"""The plugin whose section holds the runtime handlers, by the configuration's version."""

_COMPLETE_SECTION_VERSIONS: Final = frozenset({2})
"""Versions in which an import replaces a plugin's table instead of being merged into it."""

Table = dict[str, Any]


class UnsupportedConfigurationError(NsledgerError):
    """A configuration whose version has no CRI section that we know."""

    def __init__(self, *, version: object) -> None:
        super().__init__(f"found version {version!r}, needed one of {sorted(_CRI_PLUGIN)}")
        self.version = version


class UnknownHandlerError(NsledgerError):
    """A runtime handler that the configuration does not have."""

    def __init__(self, *, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"found no runtime handler {name!r}, needed one of {', '.join(known)}")
        self.name, self.known = name, known


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

    @classmethod
    def parse(cls, name: str, table: Table) -> Self:
        """The handler `name` as its table says it; absent keys have containerd's zero values."""
        return cls(
            name=name,
            runtime_type=table.get("runtime_type", ""),
            base_runtime_spec=table.get("base_runtime_spec", ""),
            pod_annotations=tuple(table.get("pod_annotations") or ()),
            container_annotations=tuple(table.get("container_annotations") or ()),
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is in force: the output of `containerd config dump`."""

    version: int
    cri: Table
    """The CRI section that holds the runtime handlers."""

    @classmethod
    def parse(cls, dump: str) -> Self:
        """The configuration that `dump` prints.

        Raises:
            tomllib.TOMLDecodeError: it is not TOML.
            UnsupportedConfigurationError: of a version that we do not know.
        """
        table = tomllib.loads(dump)
        version = table.get("version", 1)
        plugin = _CRI_PLUGIN.get(version)
        if plugin is None:
            raise UnsupportedConfigurationError(version=version)
        return cls(version=version, cri=table.get("plugins", {}).get(plugin, {}))

    @property
    def plugin(self) -> str:
        """The CRI section's name."""
        return _CRI_PLUGIN[self.version]

    @property
    def handlers(self) -> dict[str, RuntimeHandler]:
        """The runtime handlers, by name."""
        runtimes: Table = self.cri.get("containerd", {}).get("runtimes", {})
        return {name: RuntimeHandler.parse(name, table) for name, table in runtimes.items()}


def drop_in(configuration: Configuration, base_runtime_specs: Mapping[str, str]) -> str:
    """The TOML text of the drop-in that gives each handler its base spec and our annotations.

    `base_runtime_specs` maps a handler's name to the absolute path of its spec. A handler that is
    not named there keeps what it has.

    Raises:
        UnknownHandlerError: a handler that the configuration does not have.
    """
    handlers = configuration.handlers
    ours: Table = {}
    for name, path in base_runtime_specs.items():
        handler = handlers.get(name)
        if handler is None:
            raise UnknownHandlerError(name=name, known=tuple(handlers))
        ours[name] = {
            "base_runtime_spec": path,
            "pod_annotations": _allowing_ours(handler.pod_annotations),
            "container_annotations": _allowing_ours(handler.container_annotations),
        }
    section: Table = {"containerd": {"runtimes": ours}}
    if configuration.version in _COMPLETE_SECTION_VERSIONS:
        section = _merged(configuration.cri, section)
    added = {"version": configuration.version, "plugins": {configuration.plugin: section}}
    return f"# Generated by nsledger.\n{tomlkit.dumps(added)}"


def _allowing_ours(patterns: tuple[str, ...]) -> list[str]:
    return [*patterns, *({ANNOTATIONS} - set(patterns))]


def _merged(base: Table, over: Table) -> Table:
    """`base` with the keys of `over`, table by table."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict):
            below: Table = base.get(key, {})
            merged[key] = _merged(below, cast("Table", value))
        else:
            merged[key] = value
    return merged
