"""The files that containerd's configuration is made of: the main one and what it imports, in order.

containerd says what is in force (`config dump`), not which file said it. To change the least one
has to know: on 1.x the last file that has the CRI section is the only one whose section counts.

Source: containerd `services/server/config` (1.x) and `cmd/containerd/server/config` (2.x):
breadth first, globs sorted, relative to the importing file, each file once.
"""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from nsledger.errors import NsledgerError

_WILDCARDS: Final = frozenset("*?[")

Table = dict[str, Any]


class UnreadableConfigurationError(NsledgerError):
    """A file that containerd could not read either."""

    hint = "Repair the file first: containerd will not start with it."

    def __init__(self, *, path: str, found: str) -> None:
        super().__init__(f"{path}: found no TOML: {found}")
        self.path = path


class GeneratedConfigurationError(NsledgerError):
    """A file that another program writes anew at each start."""

    hint = (
        "Put the lines that `--dry-run` shows into that program's template, or use a version of "
        "it whose configuration imports a directory (k3s and RKE2 do since containerd 2)."
    )

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: found a generated file, needed one that stays when it is edited")
        self.path = path


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """One file, as it is."""

    path: str
    text: str
    table: Table

    @property
    def version(self) -> int:
        """Of the configuration; a file that does not say is of version 1."""
        version: int = self.table.get("version", 1)
        return version

    @property
    def imports(self) -> tuple[str, ...]:
        """The patterns that it imports, absolute."""
        here = posixpath.dirname(self.path)
        return tuple(posixpath.join(here, one) for one in self.table.get("imports") or ())

    @property
    def is_generated(self) -> bool:
        """Whether its head says that another program writes it."""
        head = self.text[:400].lower()
        return "do not edit" in head

    def runtimes(self, plugin: str) -> Table:
        """The runtime handlers that it names in the section of `plugin`."""
        runtimes: Table = self.section(plugin).get("containerd", {}).get("runtimes", {})
        return runtimes

    def section(self, plugin: str) -> Table:
        """Its section of `plugin`; empty if it has none."""
        section: Table = self.table.get("plugins", {}).get(plugin, {})
        return section


def parse(path: str, data: bytes) -> ConfigurationFile:
    """The file at `path` that holds `data`.

    Raises:
        UnreadableConfigurationError: it is no TOML.
    """
    try:
        text = data.decode()
        # tomllib takes CRLF; a lone CR is refused, as containerd refuses it.
        return ConfigurationFile(path=path, text=text, table=tomllib.loads(text))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableConfigurationError(path=path, found=str(error)) from None


def loaded(
    main: str, read: Callable[[str], bytes | None], glob: Callable[[str], list[str]]
) -> tuple[ConfigurationFile, ...]:
    """Every file that containerd reads for `main`, in its order; none if `main` is not there.

    Raises:
        UnreadableConfigurationError: one of them is no TOML.
    """
    found: dict[str, ConfigurationFile] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop(0)
        data = None if path in found else read(path)
        if data is None:
            continue
        found[path] = file = parse(path, data)
        for pattern in file.imports:
            waiting += glob(pattern) if _WILDCARDS & set(pattern) else [pattern]
    return tuple(found.values())
