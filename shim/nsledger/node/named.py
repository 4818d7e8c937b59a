"""Who still names a file of ours, of what is in force on a node: asked before anything is deleted.

A containerd whose configuration names a base spec that is gone answers no CRI call at all; a spec
that names a hook that is gone lets no container start. So the runtime's own account counts, and
every hooks directory, whoever wrote what they say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import cast

from nsledger.errors import NsledgerError
from nsledger.node import crio
from nsledger.node.containerd import Configuration
from nsledger.node.containerd_files import ConfigurationFile
from nsledger.node.effective_change import flat
from nsledger.node.hook_files import HOOK_DIRECTORY
from nsledger.node.root import Host

_DIRECTORIES = ("/etc/nsledger/", f"{HOOK_DIRECTORY}/")
_HOOKS_DIRECTORIES = ("/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d")


class StillNamedError(NsledgerError):
    """Something in force names a file of ours, and we do not know how to take it out."""

    def __init__(self, *, path: str, who: str, named: str) -> None:
        super().__init__(
            f"{path}: found {who}, which names {named}; nothing was deleted, because no container "
            "would start without it"
        )
        self.hint = f"Take it out of {path} (or of what writes that file), then uninstall again."
        self.path, self.who, self.named = path, who, named


def is_ours(value: str, ours: Mapping[str, str]) -> bool:
    """Whether a configuration's value names a file of ours."""
    return value in ours or any(directory in f"{value}/" for directory in _DIRECTORIES)


def _each(value: object) -> list[object]:
    """The elements of a list; anything else by itself."""
    return cast("list[object]", value) if isinstance(value, list) else [value]


def require_not_in_force(
    host: Host, dump: str, files: Sequence[ConfigurationFile], ours: Mapping[str, str]
) -> None:
    """Nothing, if no value of `dump`, what containerd says is in force, leads to a file of ours.

    Raises:
        StillNamedError: one does, in itself or by a base spec that names our hook.
    """
    for path, value in flat(tomllib.loads(dump)):
        for one in _each(value):
            if isinstance(one, str) and is_ours(one, ours):
                raise StillNamedError(path=_file_with(files, one), who=_who(path), named=one)
    for handler in Configuration.parse(dump).handlers.values():
        spec = host.read(handler.base_runtime_spec) if handler.base_runtime_spec else None
        if spec is not None and HOOK_DIRECTORY.encode() in spec:
            raise StillNamedError(
                path=handler.base_runtime_spec,
                who=f"the base spec of the handler {handler.name}",
                named=HOOK_DIRECTORY,
            )


def require_no_hooks_entry(host: Host, ours: Sequence[str]) -> None:
    """Nothing, if no JSON file of a hooks directory but `ours` names our hook.

    Raises:
        StillNamedError: one does; podman reads these directories too.
    """
    directories = dict.fromkeys((*_HOOKS_DIRECTORIES, *_of_crio(host)))
    for path in crio.hook_files_in(host, tuple(directories)):
        data = host.read(path)
        if host.resolve(path) not in ours and data and HOOK_DIRECTORY.encode() in data:
            raise StillNamedError(path=path, who="an OCI hook", named=HOOK_DIRECTORY)


def _of_crio(host: Host) -> tuple[str, ...]:
    try:
        return crio.look(host).in_force
    except NsledgerError:
        return ()


def _who(path: str) -> str:
    """The handler that a key of the dump is of, else the key."""
    _, found, rest = path.partition("/containerd/runtimes/")
    if found:
        name, _, key = rest.partition("/")
        return f"the handler {name} ({key})"
    return f"the key {path.strip('/')}"


def _file_with(files: Sequence[ConfigurationFile], value: str) -> str:
    found = [file.path for file in files if value in file.text]
    return ", ".join(found) or "containerd's configuration"
