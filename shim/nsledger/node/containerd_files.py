"""The files that containerd's configuration is made of: the main one and what it imports, in order.

containerd says what is in force (`config dump`), not which file said it. To change the least one
has to know: on 1.x the last file that has the CRI section is the only one whose section counts.

Source: containerd `services/server/config` (1.x) and `cmd/containerd/server/config` (2.x):
breadth first, globs sorted, relative to the importing file, each file once. A path is a pattern
only if it has a `*`.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from nsledger.errors import NsledgerError
from nsledger.node.go_glob import go_glob

WILDCARD: Final = "*"
BYTE_ORDER_MARK: Final = "\ufeff"
_VOLATILE: Final = ("/run/", "/var/run/", "/tmp/", "/dev/shm/")  # noqa: S108 - looked for, not used
"""Empty after the next boot."""
_GENERATED: Final = re.compile(
    r"do not (edit|modify|change)|k0s_managed\s*=\s*true"
    r"|managed (by|with) \S|\b(ansible|puppet|chef|salt|saltstack|cfengine|terraform)[ _-]managed"
    r"|auto(matically)?[- ]?generated|(changes|edits|modifications) (\w+ ){1,4}(lost|overwritten)",
    re.IGNORECASE,
)
"""What the comments at the head of a file say that another program writes anew."""
_OURS: Final = "nsledger"

Table = dict[str, Any]


class UnreadableConfigurationError(NsledgerError):
    """A file that nsledger cannot read, and most containerds neither."""

    hint = (
        "Repair the file: it is read as TOML in UTF-8. `containerd --config FILE config dump` "
        "tells whether containerd reads it."
    )

    def __init__(self, *, path: str, found: str) -> None:
        super().__init__(f"{path}: found no TOML: {found}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who writes a file anew, as far as it can be told, and where lines stay."""

    found: str
    """What the message says of the file."""
    place: str
    """Where lines stay, and what makes them be read."""


class GeneratedConfigurationError(NsledgerError):
    """A file that another program writes anew, or that a boot takes away."""

    def __init__(self, *, path: str, keeper: Keeper, lines: str = "") -> None:
        super().__init__(
            f"{path}: found {keeper.found}, needed a file that stays when it is edited"
        )
        self.hint = (
            f"Put the lines that `nsledger install --dry-run` shows into {keeper.place}; run "
            "`nsledger install --only hook --only shim` before, so that what they name is there, "
            "and `nsledger install` when they are in force."
        )
        self.path, self.keeper, self.lines = path, keeper, lines


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
        return tuple(
            posixpath.normpath(posixpath.join(here, one)) for one in self.table.get("imports") or ()
        )

    @property
    def head(self) -> str:
        """The comments in front of its first setting."""
        return _head(self.text)

    @property
    def keeper(self) -> Keeper | None:
        """Who writes it anew, by its place and its head; None if nobody is known to."""
        return keeper(self.path, self.head)

    def handler(self, plugin: str, place: tuple[str, ...]) -> Table | None:
        """The table of a handler, at its place below `containerd`; None if it has none."""
        at: Table | None = self.section(plugin).get("containerd", {})
        for key in place:
            at = (at or {}).get(key)
        return at

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
        # containerd 1.x takes a byte order mark; what 2.x refuses, it says itself.
        return ConfigurationFile(path, text, tomllib.loads(text.removeprefix(BYTE_ORDER_MARK)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableConfigurationError(path=path, found=str(error)) from None


def loaded(
    main: str, read: Callable[[str], bytes | None], names: Callable[[str], list[str]]
) -> tuple[ConfigurationFile, ...]:
    """Every file that containerd reads for `main`, in its order; none if `main` is not there.

    Args:
        main: path of the main file.
        read: the bytes of a file, None where there is none.
        names: what is in a directory.

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
            waiting += go_glob(pattern, names) if WILDCARD in pattern else [pattern]
    return tuple(found.values())


def keeper(path: str, head: str) -> Keeper | None:
    """Who writes the file at `path` anew; `head` are its first comments. None: nobody known."""
    if "/k0s/" in path and (path.startswith(_VOLATILE) or "k0s_managed" in head):
        return Keeper(
            "a file that k0s writes at each start",
            "a file of /etc/k0s/containerd.d/, and restart k0s",
        )
    for program, name in (("k3s", "k3s"), ("rke2", "RKE2")):
        if posixpath.dirname(path).endswith(f"/{program}/agent/etc/containerd"):
            return Keeper(
                f"a file that {name} writes at each start",
                "its template beside it (config-v3.toml.tmpl for containerd 2, else "
                'config.toml.tmpl; above them: {{ template "base" . }}), and restart '
                f"{name}",
            )
    if path.startswith("/var/snap/microk8s/"):
        return Keeper(
            "a file that MicroK8s writes at each start",
            "/var/snap/microk8s/current/args/containerd-template.toml, and restart MicroK8s",
        )
    if path.startswith(_VOLATILE):
        return Keeper("a file that the next boot takes away", "what writes it at each boot")
    told = _GENERATED.search(head)
    if told is None or _OURS in head:
        return None
    return Keeper(f"a generated file (its head: {told[0]!r})", "what that program writes it from")


def _head(text: str) -> str:
    lines: list[str] = []
    for line in text.lstrip(BYTE_ORDER_MARK).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        lines.append(line)
    return "\n".join(lines)
