"""Which runtime endpoint this node's kubelet gets, where that is stated, and the edit there.

    found = read(host)            # argv as systemd builds it, endpoint, the place that states it
    path, data = edit(host, found, "unix:///run/nsledger/cri.sock")

The last `--container-runtime-endpoint` of the argv outdoes the configuration; the files of
`--config-dir` outdo that of `--config`. The change is made in the one place that is in force, and
then all is computed again: the endpoint has to be the new one and every other word of the argv what
it was, else nothing comes out. Files are looked at and none is written.

Source: Kubernetes `cmd/kubelet/app/server.go` (`kubeletConfigFlagPrecedence`,
`mergeKubeletConfigurations`: every `*.conf` below the directory, in lexical order), pflag.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from nsledger.errors import NsledgerError
from nsledger.model.endpoint import is_same_socket
from nsledger.node import kubelet_configuration as configurations
from nsledger.node.kubelet_configuration import KEY, line_of
from nsledger.node.systemd_text import Text, cells, decoded, encoded, plain
from nsledger.node.unit_files import Files, Overlaid, Unit, read_unit

UNIT: Final = "kubelet.service"
ENDPOINT_FLAG: Final = "--container-runtime-endpoint"
DROP_IN: Final = "zz-nsledger.conf"
"""Read last of its directory, as long as no name there comes after it."""
_FLAGS: Final = (ENDPOINT_FLAG, "--config", "--config-dir")
_EXTENSION: Final = ".conf"
_NO_UNIT: Final = f"found no {UNIT} with --config or --config-dir"


class KubeletNotFoundError(NsledgerError):
    """Nothing says how this node's kubelet is configured."""

    def __init__(self, found: str = _NO_UNIT, *, endpoint: str) -> None:
        super().__init__(found)
        self.hint = (
            f"Give your kubelet the endpoint {endpoint} yourself (k3s: kubelet-arg), and install "
            "with --only hook --only shim --only containerd."
        )


class KubeletFlagError(NsledgerError):
    """The endpoint is stated where nsledger does not, or cannot, change it."""

    def __init__(self, *, path: str, line: int, reason: str, endpoint: str) -> None:
        super().__init__(f"{path}:{line}: found {ENDPOINT_FLAG}, {reason}; nothing was written")
        self.hint = f"Set it to {endpoint} there yourself, and install with --only for the rest."
        self.path, self.line = path, line


class KubeletDiffersError(NsledgerError):
    """The running kubelet has other arguments than its unit files give it."""

    def __init__(self, *, flag: str, running: str | None, computed: str | None) -> None:
        super().__init__(
            f"the running kubelet has {flag} {running or 'not set'}, but by its unit files it gets "
            f"{computed or 'none'}"
        )
        self.hint = (
            "If the files are newer: systemctl daemon-reload && systemctl restart kubelet. Else "
            "`systemctl cat kubelet` and /proc/PID/cmdline show where the two part."
        )
        self.flag = flag


class KubeletHeldError(NsledgerError):
    """Something that is not ours tells the kubelet our socket."""

    def __init__(self, *, stated: Stated, endpoint: str) -> None:
        super().__init__(
            f"{stated.path}:{stated.line}: found {stated.key} with {endpoint}, which is not from "
            "`nsledger install`; nothing was undone"
        )
        self.hint = "Give the kubelet the runtime's own endpoint there, then uninstall again."
        self.stated = stated


@dataclass(frozen=True, slots=True)
class Stated:
    """Where an endpoint is stated."""

    path: str
    line: int
    key: str
    """A flag, or a key of the configuration."""


@dataclass(frozen=True, slots=True)
class FlagInFile:
    """The flag, in an environment file or a unit file: it outdoes all else."""

    path: str
    start: int
    """Of the value, as an offset in the file's text (`systemd_text.decoded`)."""
    end: int


@dataclass(frozen=True, slots=True)
class NewDropIn:
    """A file that is to be added to the directory of `--config-dir`."""

    path: str


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """The file of `--config`, or one of `--config-dir` that outdoes it."""

    path: str


Place = FlagInFile | NewDropIn | ConfigurationFile


@dataclass(frozen=True, slots=True)
class Kubelet:
    """What a node's kubelet is told."""

    unit: Unit
    endpoint: str | None
    """In force; None where nobody states one, and the kubelet takes its default."""
    stated: Stated | None
    """Where it is stated."""
    place: Place
    """Where it is to be changed."""
    running: tuple[str, ...] | None = None
    """Arguments of the running kubelet, where its unit starts another program that starts it."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line that systemd builds."""
        return self.unit.argv


def read(files: Files, *, endpoint: str, running: Sequence[str] | None = None) -> Kubelet:
    """The kubelet of the node that `files` shows.

    Args:
        files: the node's.
        endpoint: what it is to be told; errors name it.
        running: argv of the kubelet that runs, where one does. Its flags have to be those of the
            unit; where the unit starts another program, which starts the kubelet, they count.

    Raises:
        KubeletNotFoundError: nothing is known of it.
        KubeletFlagError: the endpoint is stated in a place that cannot be changed.
        KubeletDiffersError: the running one is told something else.
        KubeletConfigurationError: its configuration cannot be read.
    """
    unit = read_unit(UNIT, files)
    if unit is None:
        raise KubeletNotFoundError(endpoint=endpoint)
    flags = _flags(unit.command)
    _require_no_hidden_flag(unit, files, endpoint)
    is_indirect = False
    if running is not None:
        is_indirect = not flags and flag_of(running, ENDPOINT_FLAG) is None
        if is_indirect:
            # Another program starts the kubelet: what it gives it, the process shows.
            flags = _flags([cells("", word) for word in running])
        else:
            require_as_computed(unit, running)
    flag = flags.get(ENDPOINT_FLAG)
    if flag is not None:
        return _by_flag(unit, flag, files, endpoint)
    found = _by_configuration(unit, flags, files, endpoint)
    return replace(found, running=tuple(running)) if running and is_indirect else found


def edit(files: Files, found: Kubelet, endpoint: str) -> tuple[str, bytes]:
    """Path and new bytes of the file that tells the kubelet `endpoint`; the old ones if it does.

    Raises:
        KubeletFlagError, KubeletConfigurationError: it cannot be done with nothing else changing.
    """
    place = found.place
    if is_same_socket(found.endpoint, endpoint):
        return place.path, files.read(place.path) or b""
    match place:
        case FlagInFile():
            return _edit_flag(files, found, place, endpoint)
        case NewDropIn(path):
            data = _new_drop_in(endpoint)
        case ConfigurationFile(path):
            data = configurations.with_value(path, files.read(path) or b"", endpoint)
        case _:
            assert_never(place)
    again = read(Overlaid(files, path, data), endpoint=endpoint, running=found.running)
    if again.endpoint != endpoint or again.argv != found.argv:
        line = again.stated.line if again.stated else 1
        named = again.stated.path if again.stated else path
        reason = f"found another {KEY} that outdoes the one in {path}"
        raise configurations.KubeletConfigurationError(path=named, line=line, found=reason)
    return path, data


def flag_of(argv: Sequence[str], name: str) -> str | None:
    """The value that the flag `name` has last in `argv`; None without."""
    found = _flags([cells("", word) for word in argv]).get(name)
    return None if found is None else plain(found.value)


def require_as_computed(unit: Unit, running: Sequence[str]) -> None:
    """Nothing, if a kubelet with the argv `running` is told what `unit` says.

    Raises:
        KubeletDiffersError: another endpoint or configuration.
    """
    for flag in _FLAGS:
        is_now, computed = flag_of(running, flag), flag_of(unit.argv, flag)
        if is_now != computed:
            raise KubeletDiffersError(flag=flag, running=is_now, computed=computed)


def without_ours(
    path: str, *, before: bytes | None, after: bytes, now: bytes, endpoint: str
) -> bytes | None:
    """The file at `path` as it is now, with the endpoint that it had before us; None: no file.

    Args:
        path: of a file that `edit` changed.
        before: what was there before; None if nothing was.
        after: what `edit` made of it.
        now: what somebody made of that since.
        endpoint: ours.

    Raises:
        KubeletConfigurationError: our change cannot be told apart in it.
    """
    try:
        is_configuration = configurations.parse(path, after).value == endpoint
    except configurations.KubeletConfigurationError:
        is_configuration = False
    if is_configuration:
        if configurations.parse(path, now).value != endpoint:
            return now
        back = configurations.with_key_of(path, now, before or b"{}")
        left = configurations.parse(path, back).content.keys() - {"apiVersion", "kind"}
        return back if before is not None or left else None
    ours = endpoint.encode()
    if ours not in now:
        return now
    start = after.find(ours)
    end_old = len(before or b"") - (len(after) - start - len(ours))
    if before is None or start < 0 or end_old < start or now.count(ours) != 1:
        found = f"found {endpoint} {now.count(ours)} times, needed it once"
        raise configurations.KubeletConfigurationError(path=path, line=1, found=found)
    return now.replace(ours, before[start:end_old])


def require_released(files: Files, *, endpoint: str) -> None:
    """Nothing, if `files` tell the kubelet another endpoint than ours, or nothing at all.

    Raises:
        KubeletHeldError: they do, with the place.
    """
    try:
        found = read(files, endpoint=endpoint)
    except NsledgerError:
        return
    if found.stated is not None and is_same_socket(found.endpoint, endpoint):
        raise KubeletHeldError(stated=found.stated, endpoint=endpoint)


@dataclass(frozen=True, slots=True)
class _Flag:
    """A flag's last occurrence."""

    value: Text
    word: Text
    """The word that its value is, or ends."""


def _flags(command: Sequence[Text]) -> dict[str, _Flag]:
    """The flags that matter, by name: of each the last."""
    found: dict[str, _Flag] = {}
    at = 1
    while at < len(command):
        word = command[at]
        said = plain(word)
        at += 1
        if said == "--":
            break
        name, equals, _ = said.partition("=")
        name = name.replace("_", "-")
        if name not in _FLAGS:
            continue
        if equals:
            found[name] = _Flag(word[len(name) + 1 :], word)
        elif at < len(command):
            found[name] = _Flag(command[at], command[at])
            at += 1
    return found


def _require_no_hidden_flag(unit: Unit, files: Files, endpoint: str) -> None:
    """A script of a shell that names the flag gives it to a kubelet nobody can tell which."""
    for word in unit.command[1:]:
        said = plain(word)
        at = said.find(ENDPOINT_FLAG)
        if at > 0 and not said.startswith(ENDPOINT_FLAG):
            raise KubeletFlagError(
                path=word[at].path,
                line=_line(files, word[at].path, word[at].start),
                reason="within another argument",
                endpoint=endpoint,
            )


def _by_flag(unit: Unit, flag: _Flag, files: Files, endpoint: str) -> Kubelet:
    value = plain(flag.value)
    # An empty value stands behind the flag's `=`.
    start, end = (
        (flag.value[0].start, flag.value[-1].end)
        if flag.value
        else (flag.word[-1].end, flag.word[-1].end)
        if flag.word
        else (0, 0)
    )
    path = (flag.value or flag.word or unit.command[0])[0].path
    line = _line(files, path, start)
    places = {cell.path for cell in flag.value}
    reason = ""
    if not flag.word:
        reason = "with an empty word for its value"
    elif len(places) > 1:
        reason = f"whose value is put together from {' and '.join(sorted(places))}"
    elif path in unit.files and not path.startswith("/etc/"):
        reason = "in a unit file that is not the admin's"
    if reason and not is_same_socket(value, endpoint):
        raise KubeletFlagError(path=path, line=line, reason=reason, endpoint=endpoint)
    return Kubelet(
        unit=unit,
        endpoint=value or None,
        stated=Stated(path, line, ENDPOINT_FLAG),
        place=FlagInFile(path, start, end),
    )


def _by_configuration(unit: Unit, flags: dict[str, _Flag], files: Files, endpoint: str) -> Kubelet:
    base, directory = (
        posixpath.join(unit.working_directory, plain(flags[name].value)) if name in flags else None
        for name in ("--config", "--config-dir")
    )
    if base is None and directory is None:
        found = f"found no --config, --config-dir or {ENDPOINT_FLAG} among the arguments of {UNIT}"
        if unit.missing:
            found = f"{found}, whose {', '.join(unit.missing)} is not there"
        raise KubeletNotFoundError(found, endpoint=endpoint)
    if base is not None and _read(files, base) is None:
        raise KubeletNotFoundError(
            f"{base}: found no such file, which {UNIT} names with --config", endpoint=endpoint
        )
    ours = posixpath.join(directory, DROP_IN) if directory else ""
    drop_ins = list(_drop_ins(files, directory)) if directory else []
    value, stated = None, None
    for path in [*([base] if base else []), *drop_ins]:
        document = configurations.parse(path, _read(files, path) or b"")
        if document.states:
            value, stated = document.value, Stated(path, document.line, KEY)
    place: Place
    if stated and (is_same_socket(value, endpoint) or stated.path in _from(drop_ins, ours)):
        place = ConfigurationFile(stated.path)
    elif ours:
        place = ConfigurationFile(ours) if ours in drop_ins else NewDropIn(ours)
    else:
        place = ConfigurationFile(base or "")
    return Kubelet(unit=unit, endpoint=value, stated=stated, place=place)


def _from(drop_ins: Sequence[str], ours: str) -> list[str]:
    """The drop-ins that outdo `ours`, and itself."""
    return [path for path in drop_ins if path.split("/") >= ours.split("/")]


def _drop_ins(files: Files, directory: str) -> Iterator[str]:
    """The files of `--config-dir` in the order in which they are merged: as a walk finds them."""
    names = {
        posixpath.basename(path)
        for pattern in ("*", ".*")
        for path in files.glob(posixpath.join(directory, pattern))
    }
    for name in sorted(names, key=encoded):
        path = posixpath.join(directory, name)
        try:
            is_file = files.read(path) is not None
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EISDIR):
                raise
            is_file = False
        if is_file:
            if posixpath.splitext(f"x{name}")[1] == _EXTENSION:
                yield path
        elif files.resolve(path) == posixpath.join(files.resolve(directory), name):
            # A link to a directory is not followed.
            yield from _drop_ins(files, path)


def _edit_flag(files: Files, found: Kubelet, place: FlagInFile, endpoint: str) -> tuple[str, bytes]:
    """The file with another value for the flag; quotes within the old value go with it."""
    text = decoded(files.read(place.path) or b"")
    start, end = place.start, place.end
    old = found.endpoint or ""
    spans = [(start, end), (start, end + 1), (start - 1, end), (start - 1, end + 1)]
    # A quote that opens or closes within the old value takes its other half with it.
    for first, last in sorted(spans, key=lambda span: _odd_quotes(text[slice(*span)])):
        data = encoded(f"{text[:first]}{endpoint}{text[last:]}")
        again = _read_again(Overlaid(files, place.path, data), endpoint)
        if again is None or again.endpoint != endpoint:
            continue
        if _is_but_for(found.unit, again.unit, old, endpoint):
            return place.path, data
    raise KubeletFlagError(
        path=place.path,
        line=line_of(text, start),
        reason="whose value cannot be changed without changing something else",
        endpoint=endpoint,
    )


def _odd_quotes(text: str) -> int:
    return text.count('"') % 2 + text.count("'") % 2


def _read_again(files: Files, endpoint: str) -> Kubelet | None:
    try:
        return read(files, endpoint=endpoint)
    except NsledgerError:
        return None


def _is_but_for(before: Unit, after: Unit, old: str, new: str) -> bool:
    """Whether the two are the same but for the flag's last value, and variables that hold it."""
    if before.environment.keys() != after.environment.keys():
        return False
    for name, value in after.environment.items():
        was = before.environment[name]
        head, _, tail = value.partition(new)
        if value != was and not (was.startswith(head) and was.endswith(tail)):
            return False
    if len(before.argv) != len(after.argv):
        return False
    changed = [pair for pair in zip(before.argv, after.argv, strict=True) if pair[0] != pair[1]]
    return len(changed) == 1 and changed[0][0].removesuffix(old) == changed[0][1].removesuffix(new)


def _new_drop_in(endpoint: str) -> bytes:
    return (
        "# Generated by nsledger; `nsledger uninstall` takes it away.\n"
        "apiVersion: kubelet.config.k8s.io/v1beta1\n"
        "kind: KubeletConfiguration\n"
        f"{KEY}: {endpoint}\n"
    ).encode()


def _line(files: Files, path: str, offset: int) -> int:
    return line_of(decoded(_read(files, path) or b""), offset) if path else 1


def _read(files: Files, path: str) -> bytes | None:
    """The bytes at `path`; None if nothing, or no file, is there."""
    try:
        return files.read(path)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTDIR):
            return None
        raise
