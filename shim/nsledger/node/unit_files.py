"""What the unit files of a service say, as far as the command line of its program goes: pure.

Only what is in force: drop-ins by name, the place nearest to the admin for each; an empty
`ExecStart=` takes back the ones before; environment files only where a command line uses them.

Source: systemd.unit(5), systemd.service(5), systemd.exec(5).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_DIRECTORIES: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Nearest to the admin first."""

Read = Callable[[str], bytes | None]
Glob = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Setting:
    """A text that flags may stand in."""

    path: str
    text: str
    is_unit: bool
    """Whether `path` is a unit file or drop-in, and not an environment file."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service."""

    settings: tuple[Setting, ...]
    """Its command lines and environment, then its environment files."""


def read_unit(name: str, read: Read, glob: Glob) -> Unit | None:
    """The service `name`, such as `kubelet.service`; None where there is none."""
    main = next((path for path in _places(name) if read(path) is not None), None)
    if main is None:
        return None
    # The same name nearer to the admin wins, as with the fragment itself.
    drop_ins: dict[str, str] = {}
    for directory in reversed(_places(f"{name}.d")):
        for path in glob(posixpath.join(directory, "*.conf")):
            drop_ins[posixpath.basename(path)] = path
    commands: list[Setting] = []
    environment: list[Setting] = []
    files: dict[str, None] = {}
    for path in (main, *(drop_ins[key] for key in sorted(drop_ins))):
        for key, value in _assignments((read(path) or b"").decode(errors="replace")):
            if key == "ExecStart":
                commands = [*commands, Setting(path, value, is_unit=True)] if value else []
            elif key == "Environment":
                environment.append(Setting(path, value, is_unit=True))
            elif key == "EnvironmentFile":
                files = {**files, value.removeprefix("-"): None} if value else {}
    used = [
        Setting(path, data.decode(errors="replace"), is_unit=False)
        for path in files
        if (data := read(path)) is not None
    ]
    return Unit((*commands, *environment, *used))


def _places(name: str) -> list[str]:
    return [posixpath.join(directory, name) for directory in _DIRECTORIES]


def _assignments(text: str) -> list[tuple[str, str]]:
    """Key and value of each line, continued lines joined."""
    joined = re.sub(r"\\\r?\n", " ", text)
    found: list[tuple[str, str]] = []
    for line in joined.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            found.append((key.strip(), value.strip()))
    return found
