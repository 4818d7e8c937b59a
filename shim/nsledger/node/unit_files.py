"""The command line of a service as systemd builds it from its unit file, drop-ins and environment.

    read_unit("kubelet.service", host) -> Unit(command=[...], ...)

Of the main file the place nearest to the admin counts; drop-ins are merged by name; an empty
`ExecStart=` takes back the ones before; environment files outdo `Environment=`, the later the
earlier; `$NAME` alone is split into words and `${NAME}` is put in as it is. Each character of a
word keeps the place that it came from (`systemd_text`), so that it can be changed there. Files are
looked at and none is changed.

Source: systemd.unit(5) "Unit File Load Path" and "Specifiers", systemd.service(5) "Command lines",
systemd.exec(5) "Environment"; systemd 252 `load-fragment.c`, `env-util.c`.
"""

from __future__ import annotations

import errno
import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from nsledger.node.systemd_text import (
    WHITESPACE,
    BadWordError,
    Text,
    assignments,
    cells,
    decoded,
    environment_file,
    is_utf8,
    next_word,
    plain,
    split_variable,
    words,
)

DIRECTORIES: Final = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
"""Nearest to the admin first."""

_NOTHING: Final = "/dev/null"
"""What a masked unit or drop-in is a link to."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BRACED: Final = re.compile(r"\$(?:\{([^}:]*)\}|\$)")
_PREFIXES: Final = "-@:+!|"
_CONSTANTS: Final = {
    "%": "%",
    "t": "/run",
    "S": "/var/lib",
    "C": "/var/cache",
    "L": "/var/log",
    "E": "/etc",
    "T": "/tmp",  # noqa: S108 - what systemd puts there
    "V": "/var/tmp",  # noqa: S108
    "u": "root",
    "U": "0",
    "g": "root",
    "G": "0",
    "h": "/root",
    "s": "/bin/sh",
    "i": "",
    "I": "",
}


class Files(Protocol):
    """What is looked at: a `Host`, or one with an edit laid over it."""

    def read(self, path: str) -> bytes | None:
        """The bytes at `path`; None if nothing is there; an OSError if it is no file."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """The paths that match `pattern`, whose last part alone may have wildcards."""
        ...

    def resolve(self, path: str) -> str:
        """What `path` leads to."""
        ...


@dataclass(frozen=True, slots=True)
class Overlaid:
    """`files` as they will be when `path` holds `data`."""

    files: Files
    path: str
    data: bytes | None
    """None: there is no such file."""

    def read(self, path: str) -> bytes | None:
        """As `Files`."""
        if self.files.resolve(path) == self.files.resolve(self.path):
            return self.data
        return self.files.read(path)

    def glob(self, pattern: str) -> list[str]:
        """As `Files`."""
        found = self.files.glob(pattern)
        directory, name = posixpath.split(pattern)
        here = posixpath.split(self.path)
        if here[0] == directory and fnmatch.fnmatchcase(here[1], name):
            others = {*found} - {self.path}
            found = sorted(others if self.data is None else {*others, self.path})
        return found

    def resolve(self, path: str) -> str:
        """As `Files`."""
        return self.files.resolve(path)


@dataclass(frozen=True, slots=True)
class Unit:
    """A service, as far as the command line of its program goes."""

    files: tuple[str, ...]
    """The unit file and its drop-ins, in the order in which they are read."""
    command: tuple[Text, ...]
    """Program and arguments; empty if no ExecStart is in force."""
    environment: Mapping[str, str]
    """What the unit sets, by name."""
    working_directory: str = "/"
    missing: tuple[str, ...] = ()
    """Environment files that are not there although they have to be."""

    @property
    def argv(self) -> tuple[str, ...]:
        """What the program gets."""
        return tuple(plain(word) for word in self.command)


@dataclass(slots=True)
class _Said:
    """What the files say, one assignment after the other."""

    commands: list[Text] = field(default_factory=list[Text])
    environment: dict[str, Text] = field(default_factory=dict[str, Text])
    environment_files: list[Text] = field(default_factory=list[Text])
    unset: list[str] = field(default_factory=list[str])
    working_directory: str = "/"


def read_unit(name: str, files: Files) -> Unit | None:
    """The service `name`, such as `kubelet.service`; None where there is none, or a masked one."""
    main = next((path for path in _places(name) if _read(files, path) is not None), None)
    if main is None:
        return None
    names = [name]
    if files.resolve(main) != _NOTHING:
        target = files.resolve(main)
        if posixpath.dirname(target) in {files.resolve(one) for one in DIRECTORIES}:
            names = list(dict.fromkeys((posixpath.basename(target), name)))
    if not _read(files, main):
        return None
    drop_ins = _drop_ins(names, files)
    specifiers = _specifiers(names[0], main, files)
    said = _Said()
    read = (main, *drop_ins)
    for path in read:
        text = decoded(_read(files, path) or b"")
        for key, value in assignments(path, text, "Service"):
            _take(said, key, value, specifiers)
    missing = _load_environment(said, files)
    environment = {key: value for key, value in said.environment.items() if key not in said.unset}
    command = _command(said.commands, environment, specifiers)
    return Unit(
        files=read,
        command=tuple(command),
        environment={key: plain(value) for key, value in environment.items()},
        working_directory=said.working_directory,
        missing=tuple(missing),
    )


def _take(said: _Said, key: str, value: Text, specifiers: Mapping[str, str]) -> None:
    """One assignment; an empty one takes back all before it."""
    match key:
        case "ExecStart":
            said.commands = [*said.commands, value] if value else []
        case "Environment":
            set_ = dict(_variables(value, specifiers))
            said.environment = {**said.environment, **set_} if value else {}
        case "EnvironmentFile":
            path = _expanded(value, specifiers)
            said.environment_files = [*said.environment_files, path] if value else []
        case "UnsetEnvironment":
            named = [plain(word) for word in _words(value)]
            said.unset = [*said.unset, *named] if value else []
        case "WorkingDirectory":
            said.working_directory = plain(_expanded(value, specifiers)).removeprefix("-") or "/"
        case _:
            pass


def _variables(value: Text, specifiers: Mapping[str, str]) -> Iterator[tuple[str, Text]]:
    for word in _words(value):
        yield from _variable(_expanded(word, specifiers))


def _variable(assignment: Text) -> Iterator[tuple[str, Text]]:
    """Name and value, if systemd takes them for such."""
    name, equals, said = plain(assignment).partition("=")
    if equals and _NAME.match(name) and not _CONTROL.search(said) and is_utf8(said):
        yield name, assignment[len(name) + 1 :]


def _load_environment(said: _Said, files: Files) -> list[str]:
    """Put what the environment files set over the rest; those that are missing."""
    missing: list[str] = []
    for value in said.environment_files:
        named = plain(value)
        pattern = named.removeprefix("-")
        if not pattern.startswith("/"):
            continue
        found = [path for path in matches(pattern, files) if _read(files, path) is not None]
        if not found and not named.startswith("-"):
            missing.append(pattern)
        for path in found:
            real = files.resolve(path)
            for name, text in environment_file(real, decoded(_read(files, path) or b"")):
                assignment = [*cells(real, f"{name}="), *text]
                said.environment.update(_variable(assignment))
    return missing


def _command(
    commands: list[Text], environment: Mapping[str, Text], specifiers: Mapping[str, str]
) -> list[Text]:
    """The words of the one command that runs: of several the last, as of `Type=oneshot`."""
    lines = [line for value in commands for line in _separated(value)]
    if not lines:
        return []
    found = [_expanded(word, specifiers) for word in lines[-1]]
    first = plain(found[0])
    prefixes = first[: len(first) - len(first.lstrip(_PREFIXES))]
    found[0] = found[0][len(prefixes) :]
    if "@" in prefixes and len(found) > 1:
        # The program, then the name that it gets: the argv has the name.
        found.pop(0)
    if ":" in prefixes:
        return found
    return [found[0], *(new for word in found[1:] for new in _substituted(word, environment))]


def _separated(value: Text) -> Iterator[list[Text]]:
    """The words of each command of a line; a lone semicolon stands between two."""
    line: list[Text] = []
    at = 0
    try:
        while (found := next_word(value, at, c_escapes=True)) is not None:
            word, after = found
            written = plain(value[at:after]).strip(WHITESPACE)
            if written == ";":
                if line:
                    yield line
                line = []
            else:
                # `\;` is a semicolon that separates nothing.
                line.append(word[-1:] if written == "\\;" else word)
            at = after
    except BadWordError:
        return
    if line:
        yield line


def _substituted(word: Text, environment: Mapping[str, Text]) -> list[Text]:
    """`word` with its variables: any number of words for `$NAME` alone, else one."""
    said = plain(word)
    if said.startswith("$") and said[1:2] not in ("{", "$"):
        return split_variable(environment.get(said[1:], []))
    new: Text = []
    at = 0
    for found in _BRACED.finditer(said):
        new += word[at : found.start()]
        if found[1] is None:
            new.append(word[found.start()]._replace(end=word[found.end() - 1].end))
        else:
            new += environment.get(found[1], [])
        at = found.end()
    return [[*new, *word[at:]]]


def _words(value: Text) -> Iterator[Text]:
    """The words up to the first that is none; systemd ignores the rest."""
    found = words(value)
    while True:
        try:
            yield next(found)
        except (StopIteration, BadWordError):
            return


def _expanded(text: Text, specifiers: Mapping[str, str]) -> Text:
    """`text` with its specifiers; one that is not known stays as it stands."""
    new: Text = []
    at = 0
    while at < len(text):
        cell = text[at]
        value = specifiers.get(text[at + 1].char) if at + 1 < len(text) else None
        if cell.char == "%" and value is not None:
            whole = cell._replace(end=text[at + 1].end)
            new += [whole._replace(char=char) for char in value]
            at += 2
        else:
            new.append(cell)
            at += 1
    return new


def _specifiers(name: str, main: str, files: Files) -> dict[str, str]:
    """What stands for each letter behind a `%`, as far as files tell it."""
    stem = name.rpartition(".")[0]
    last = stem.rpartition("-")[2]
    found = {"n": name, "N": stem, "p": stem, "P": stem, "j": last, "J": last}
    # systemd leaves the backslashes of %P and %J out of account; so do names of kubelets.
    found |= {"f": f"/{stem}", "y": main, "Y": posixpath.dirname(main)}
    for letter, path in {
        "H": "/proc/sys/kernel/hostname",
        "v": "/proc/sys/kernel/osrelease",
        "m": "/etc/machine-id",
        "b": "/proc/sys/kernel/random/boot_id",
    }.items():
        said = (_read(files, path) or b"").decode(errors="replace").strip()
        if said:
            found[letter] = said.replace("-", "") if letter == "b" else said
    if "H" in found:
        found["l"] = found["H"].partition(".")[0]
    return {**_CONSTANTS, **found}


def _drop_ins(names: list[str], files: Files) -> list[str]:
    """The drop-ins of a unit that has `names`, in the order in which they are read."""
    directories: list[str] = []
    for name in names:
        directories += _places(f"{name}.d")
        stem, _, suffix = name.rpartition(".")
        # `kubelet-x.service` has those of `kubelet-.service` too.
        while "-" in stem.rstrip("-"):
            stem = stem.rstrip("-").rpartition("-")[0] + "-"
            directories += _places(f"{stem}.{suffix}.d")
    directories += _places("service.d")
    chosen: dict[str, str] = {}
    for directory in directories:
        for path in files.glob(posixpath.join(directory, "*.conf")):
            if files.resolve(path) == _NOTHING or _read(files, path) is not None:
                chosen.setdefault(posixpath.basename(path), path)
    return [chosen[key] for key in sorted(chosen) if files.resolve(chosen[key]) != _NOTHING]


def matches(pattern: str, files: Files) -> list[str]:
    """The paths that match `pattern`, with wildcards in any part, sorted."""
    found = ["/"]
    for part in [part for part in pattern.split("/") if part]:
        if re.search(r"[*?\[]", part):
            found = [
                path
                for directory in found
                for path in files.glob(posixpath.join(directory, "*"))
                if fnmatch.fnmatchcase(posixpath.basename(path), part)
            ]
        else:
            found = [posixpath.join(directory, part) for directory in found]
    return sorted(found)


def _read(files: Files, path: str) -> bytes | None:
    """The bytes at `path`; a masked one is empty, and what is no file is not there."""
    try:
        if files.resolve(path) == _NOTHING:
            return b""
        return files.read(path)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return None
        raise


def _places(name: str) -> list[str]:
    return [posixpath.join(directory, name) for directory in DIRECTORIES]
