"""Which of containerd's files change, and how, so that each handler gets our base spec: pure.

| containerd | what is written |
|---|---|
| 2.x | a drop-in with our keys, in the main file's version; one `imports` entry if none covers it |
| 1.6, 1.7 | our keys, in the file whose CRI section is the one in force |

Without a configuration file a small one is made: containerd's defaults stay in force for the rest.
Where our keys are in force already without a file of ours (an admin put them into a template),
nothing changes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from nsledger.errors import NsledgerError
from nsledger.node.containerd import (
    ANNOTATIONS,
    VERSIONS,
    Configuration,
    RuntimeHandler,
    Table,
    cri_plugin,
    drop_in,
    our_keys,
)
from nsledger.node.containerd_edit import (
    Place,
    handler_section,
    significant,
    with_handlers,
    with_import,
)
from nsledger.node.containerd_files import (
    WILDCARD,
    ConfigurationFile,
    GeneratedConfigurationError,
    Keeper,
    keeper,
)
from nsledger.node.go_glob import go_match

DROP_IN: Final = "zz-nsledger.toml"
"""Read last of its directory: a list of another drop-in would replace ours."""
_EVERY_FILE: Final = "*.toml"
_KEYS: Final = ("base_runtime_spec", "pod_annotations", "container_annotations")
_DROP_IN_DIRECTORY: Final = "conf.d"
"""Beside the main file; containerd 2.2's own choice."""


class OutdoneError(NsledgerError):
    """A file that containerd reads behind any place that a drop-in of ours can have."""

    def __init__(self, *, path: str, handler: str, key: str) -> None:
        super().__init__(
            f"{path}: found {key} of the handler {handler}; it is read behind every place that "
            "nsledger can put its own at"
        )
        self.hint = "Import that file from the main file itself, or take the key out of it."
        self.path, self.handler = path, handler


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
    named = _named(found, handler, "base_runtime_spec")
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
    if _is_in_force(found, specs):
        return {}
    keys = {
        handler.place: our_keys(
            specs[handler.name],
            pod_annotations=admins_list(found, handler, "pod_annotations")
            or handler.pod_annotations,
            container_annotations=admins_list(found, handler, "container_annotations")
            or handler.container_annotations,
        )
        for handler in found.handlers
        if handler.name in specs
    }
    plugin = cri_plugin(found.version)
    changed = (
        _merged(found, keys)
        if found.configuration.merges_imports
        else _edited(found, plugin, keys, {one.place: one for one in found.handlers})
    )
    was = {file.path: file for file in found.files}
    for path, text in changed.items():
        file = was.get(path)
        if file is not None and file.text == text:
            continue
        writer = keeper(path, file.head if file else "")
        if writer is not None:
            raise _refused(found, path, writer, keys, plugin)
    return changed


def _is_in_force(found: Containerd, specs: Mapping[str, str]) -> bool:
    """Whether the admin's own files give every handler our keys."""
    if not found.files or found.admins_files != found.files:
        return False
    return bool(found.handlers) and all(
        handler.base_runtime_spec == specs.get(handler.name)
        and ANNOTATIONS in handler.pod_annotations
        and ANNOTATIONS in handler.container_annotations
        for handler in found.handlers
    )


def _refused(
    found: Containerd, path: str, writer: Keeper, keys: Mapping[Place, Table], plugin: str
) -> GeneratedConfigurationError:
    if found.configuration.merges_imports:
        lines = drop_in(found.version, keys)
    else:
        lines = "\n".join(handler_section(plugin, *one) for one in keys.items())
    return GeneratedConfigurationError(path=path, keeper=writer, lines=lines)


def _merged(found: Containerd, keys: Mapping[Place, Table]) -> dict[str, str]:
    """Containerd 2.x: a drop-in, and the import that makes containerd read it last."""
    text = drop_in(found.version, keys)
    directory = posixpath.join(posixpath.dirname(found.main), _DROP_IN_DIRECTORY)
    if not found.files:
        pattern = posixpath.join(directory, _EVERY_FILE)
        main = with_import(f"version = {found.version}\n", pattern)
        return {posixpath.join(directory, DROP_IN): text, found.main: main}
    main_file = found.files[0]
    for pattern in main_file.imports:
        place = _covered(pattern)
        if place is not None and _outdoes(found, keys, pattern) is None:
            return {place: text}
    last = _outdoes(found, keys, None)
    if last is not None:
        raise last
    path = posixpath.join(directory, DROP_IN)
    if any(_covered(pattern) == path for pattern in main_file.imports):
        # containerd reads each file once, where it is named first.
        path = posixpath.join(posixpath.dirname(found.main), DROP_IN)
    return {path: text, main_file.path: with_import(main_file.text, path)}


def _covered(pattern: str) -> str | None:
    """Where our drop-in would be read by `pattern`; None if it would not, or not for sure."""
    directory, name = posixpath.split(pattern)
    if WILDCARD in directory:
        return None
    is_covered = go_match(name, DROP_IN) if WILDCARD in name else name == DROP_IN
    return posixpath.join(directory, DROP_IN) if is_covered else None


def _outdoes(
    found: Containerd, keys: Mapping[Place, Table], pattern: str | None
) -> OutdoneError | None:
    """Who sets a key of ours behind the files of `pattern`, or of the main file's last import.

    What the main file names is read in its order, and what those files import after all of that.
    """
    main_file = found.files[0]
    patterns = list(main_file.imports)
    rank = len(patterns) if pattern is None else patterns.index(pattern)
    for file in found.admins_files[1:]:
        first = next(
            (at for at, one in enumerate(patterns) if _is_named(one, file.path)), len(patterns) + 1
        )
        # Of its own directory ours is the last, as far as names go.
        if first < rank or (first == rank and file.path < f"{_directory(pattern)}/{DROP_IN}"):
            continue
        for place in keys:
            table = file.handler(cri_plugin(file.version), place) or {}
            for key in _KEYS:
                if key in table:
                    return OutdoneError(path=file.path, handler=place[-1], key=key)
    return None


def _directory(pattern: str | None) -> str:
    return posixpath.dirname(pattern or "")


def _is_named(pattern: str, path: str) -> bool:
    """Whether `pattern` of an import finds `path`."""
    parts, names = pattern.split("/"), path.split("/")
    if WILDCARD not in pattern:
        return parts == names
    return len(parts) == len(names) and all(map(go_match, parts, names))


def _edited(
    found: Containerd,
    plugin: str,
    keys: Mapping[Place, Table],
    handlers: Mapping[Place, RuntimeHandler],
) -> dict[str, str]:
    """Containerd 1.x: the section in force; a handler that no file names is written in full.

    In full, because a table that names one runtime drops the default one.
    """
    complete = {place: _complete(handlers[place], ours) for place, ours in keys.items()}
    if not found.files:
        sections = "\n".join(handler_section(plugin, *one) for one in complete.items())
        return {found.main: f"version = {found.version}\n\n{sections}"}
    owners = [file for file in found.files if file.section(plugin)]
    owner = owners[-1] if owners else found.files[0]
    wanted = {
        place: ours if owner.handler(plugin, place) else complete[place]
        for place, ours in keys.items()
    }
    return {owner.path: with_handlers(owner.text, plugin, wanted)}


def _complete(handler: RuntimeHandler, ours: Table) -> Table:
    """All that is in force for a handler, and ours. Of its options zero values count too."""
    options = handler.table.get("options")
    return {
        **significant({key: value for key, value in handler.table.items() if key != "options"}),
        **ours,
        **({"options": options} if options else {}),
    }


def admins_list(found: Containerd, handler: RuntimeHandler, key: str) -> tuple[str, ...]:
    """What the admin's files set last: today's list, where a drop-in of ours repeats an older."""
    lists = [
        cast("list[str]", value) for value in _named(found, handler, key) if isinstance(value, list)
    ]
    return tuple(lists[-1]) if lists else ()


def _named(found: Containerd, handler: RuntimeHandler, key: str) -> Iterator[object]:
    """What the admin's files say of one key of a handler, in the order in which they are read."""
    for file in found.admins_files:
        if file.version not in VERSIONS:
            continue
        table = file.handler(cri_plugin(file.version), handler.place) or {}
        if key in table:
            yield table[key]
