"""Which of containerd's files change, and how, so that each handler gets our base spec: pure.

| containerd | what is written |
|---|---|
| 2.x | a drop-in with our keys, in the main file's version; one `imports` entry if none covers it |
| 1.6, 1.7 | our keys, in the file whose CRI section is the one in force |

Without a configuration file a small one is made: containerd's defaults stay in force for the rest.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from nsledger.node.containerd import (
    VERSIONS,
    Configuration,
    RuntimeHandler,
    Table,
    cri_plugin,
    drop_in,
    our_keys,
)
from nsledger.node.containerd_edit import runtime_section, significant, with_import, with_runtimes
from nsledger.node.containerd_files import ConfigurationFile, GeneratedConfigurationError

DROP_IN: Final = "zz-nsledger.toml"
"""Read last of its directory: a list of another drop-in would replace ours."""
_EVERY_FILE: Final = "*.toml"
_DROP_IN_DIRECTORY: Final = "conf.d"
"""Beside the main file; containerd 2.2's own choice."""


@dataclass(frozen=True, slots=True)
class Containerd:
    """A node's containerd, as far as its configuration goes."""

    main: str
    """Path of the main file, which need not exist."""
    files: tuple[ConfigurationFile, ...]
    """What it reads, the main file first; empty where there is none."""
    configuration: Configuration
    """What is in force."""

    @property
    def handlers(self) -> tuple[RuntimeHandler, ...]:
        """The handlers whose containers the hook can see."""
        found = self.configuration.handlers.values()
        return tuple(handler for handler in found if handler.is_runc)

    @property
    def others(self) -> tuple[RuntimeHandler, ...]:
        """The handlers that are left alone: their containers are no processes of this kernel."""
        found = self.configuration.handlers.values()
        return tuple(handler for handler in found if not handler.is_runc)

    @property
    def version(self) -> int:
        """Of the main file, in which a drop-in has to be; of the dump where there is none."""
        return self.files[0].version if self.files else self.configuration.version

    @property
    def admins_files(self) -> tuple[ConfigurationFile, ...]:
        """The files without our drop-in."""
        return tuple(one for one in self.files if posixpath.basename(one.path) != DROP_IN)


def admins_base_spec(found: Containerd, handler: RuntimeHandler, ours: Mapping[str, str]) -> str:
    """The base spec that `handler` has without nsledger; empty for the runtime's default.

    `ours` are the specs that an installation before this one made, and what each was made from.
    """
    if handler.base_runtime_spec not in ours:
        return handler.base_runtime_spec
    named = _named(found, handler.name, "base_runtime_spec")
    for value in reversed(list(named)):
        if isinstance(value, str) and value not in ours:
            return value
    return ours[handler.base_runtime_spec]


def changed_files(found: Containerd, specs: Mapping[str, str]) -> dict[str, str]:
    """The new text of each file that has to change, by path; `specs` are our specs by handler.

    Raises:
        UnsupportedConfigurationError: the main file is of a version that we do not know.
        GeneratedConfigurationError: another program would undo the change.
    """
    keys = {
        handler.name: our_keys(
            specs[handler.name],
            pod_annotations=admins_list(found, handler.name, "pod_annotations")
            or handler.pod_annotations,
            container_annotations=admins_list(found, handler.name, "container_annotations")
            or handler.container_annotations,
        )
        for handler in found.handlers
        if handler.name in specs
    }
    plugin = cri_plugin(found.version)
    changed = (
        _merged(found, keys)
        if found.configuration.merges_imports
        else _edited(found, plugin, keys, {one.name: one for one in found.handlers})
    )
    for file in found.files:
        if file.is_generated and changed.get(file.path, file.text) != file.text:
            raise GeneratedConfigurationError(path=file.path)
    return changed


def _merged(found: Containerd, keys: Mapping[str, Table]) -> dict[str, str]:
    """Containerd 2.x: a drop-in, and the import that makes containerd read it."""
    text = drop_in(found.version, keys)
    directory = posixpath.join(posixpath.dirname(found.main), _DROP_IN_DIRECTORY)
    if not found.files:
        pattern = posixpath.join(directory, _EVERY_FILE)
        main = with_import(f"version = {found.version}\n", pattern)
        return {posixpath.join(directory, DROP_IN): text, found.main: main}
    main_file = found.files[0]
    for pattern in main_file.imports:
        if posixpath.basename(pattern) in (_EVERY_FILE, DROP_IN):
            return {posixpath.join(posixpath.dirname(pattern), DROP_IN): text}
    path = posixpath.join(directory, DROP_IN)
    return {path: text, main_file.path: with_import(main_file.text, path)}


def _edited(
    found: Containerd,
    plugin: str,
    keys: Mapping[str, Table],
    handlers: Mapping[str, RuntimeHandler],
) -> dict[str, str]:
    """Containerd 1.x: the section in force; a handler that no file names is written in full.

    In full, because a table that names one runtime drops the default one.
    """
    complete = {name: _complete(handlers[name], ours) for name, ours in keys.items()}
    if not found.files:
        sections = "\n".join(runtime_section(plugin, *one) for one in complete.items())
        return {found.main: f"version = {found.version}\n\n{sections}"}
    owners = [file for file in found.files if file.section(plugin)]
    owner = owners[-1] if owners else found.files[0]
    named = owner.runtimes(plugin)
    wanted = {name: keys[name] if name in named else complete[name] for name in keys}
    return {owner.path: with_runtimes(owner.text, plugin, wanted)}


def _complete(handler: RuntimeHandler, ours: Table) -> Table:
    """All that is in force for a handler, and ours. Of its options zero values count too."""
    options = handler.table.get("options")
    return {
        **significant({key: value for key, value in handler.table.items() if key != "options"}),
        **ours,
        **({"options": options} if options else {}),
    }


def admins_list(found: Containerd, handler: str, key: str) -> tuple[str, ...]:
    """What the admin's files set last: today's list, where a drop-in of ours repeats an older."""
    lists = [
        cast("list[str]", value) for value in _named(found, handler, key) if isinstance(value, list)
    ]
    return tuple(lists[-1]) if lists else ()


def _named(found: Containerd, handler: str, key: str) -> Iterator[object]:
    """What the admin's files say of one key of a handler, in the order in which they are read."""
    for file in found.admins_files:
        if file.version not in VERSIONS:
            continue
        table = file.runtimes(cri_plugin(file.version)).get(handler, {})
        if key in table:
            yield table[key]
