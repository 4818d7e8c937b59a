"""The way back: what was installed is taken off a node, and nothing is deleted before it is proved.

    taken = prepared(host, kept, program="containerd", main="")   # looks; raises before any change
    remove(host, taken, release=..., say=...)                     # changes; or leaves all as it was

In this order: the kubelet goes back to the runtime, the runtime's configuration loses every value
of ours (also where another program copied it), each with its restart and its proof; the daemon is
stopped; only then files are deleted. A step that fails puts back all before it, and the error goes
up: up to the first deletion the node is what it was with nsledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from nsledger.errors import NsledgerError
from nsledger.node import kubelet, named
from nsledger.node import manifest as manifests
from nsledger.node.apply import Say, forget, put_back, run_all, run_each
from nsledger.node.changes import Part
from nsledger.node.containerd_files import ConfigurationFile, keeper, loaded
from nsledger.node.containerd_reverse import names_ours, without_ours
from nsledger.node.hook_files import HOOK_DIRECTORY, TOMBSTONE, code
from nsledger.node.located import SYSTEMD_RUNS, Located, located
from nsledger.node.manifest import ChangedFile, Manifest
from nsledger.node.reverse import EditedSinceError
from nsledger.node.root import Content, Host
from nsledger.node.settings import ENDPOINT
from nsledger.node.survey import effective_configuration, known_specs
from nsledger.node.unit_files import Files, Overlaid

_TOML: Final = ".toml"
_START_SHIM: Final = ("systemctl", "enable", "--now", "nsledger.service", "nsledger-verify.timer")


class Release(Protocol):
    """Shows that a service let go of what is ours, or raises."""

    def written(self, part: Part) -> None:
        """The configuration of `part` is what it will be, its service was not restarted."""

    def done(self, part: Part) -> None:
        """Its service was restarted."""

    def started_containers_need_hook(self) -> bool:
        """Whether a container that was created with our hook is yet to start."""
        ...


@dataclass(frozen=True, slots=True)
class Released:
    """Asks for no proof: an image, whose files were checked."""

    def written(self, part: Part) -> None:
        """Nothing to show."""

    def done(self, part: Part) -> None:
        """Nothing to show."""

    def started_containers_need_hook(self) -> bool:
        """No container runs."""
        return False


@dataclass(frozen=True, slots=True)
class FileBack:
    """One file: what is there, and what is to be there; None: nothing."""

    path: str
    now: Content | None
    back: Content | None


@dataclass(frozen=True, slots=True)
class Taken:
    """An installation, as it is to be taken back."""

    kept: Manifest
    runtime: Located
    files: dict[Part, tuple[FileBack, ...]]
    dump: str
    """What is in force now; empty where containerd cannot be asked."""
    ours: dict[str, str]


def prepared(
    host: Host, kept: Manifest, *, program: str = "", main: str = "", only_kubelet: bool = False
) -> Taken:
    """All that has to be changed, worked out from what the node has now; nothing is touched.

    Args:
        host: the node.
        kept: what was installed.
        program: containerd, where the manifest's is not to be used.
        main: its main configuration file, likewise.
        only_kubelet: for a bypass; nothing else is looked at.

    Raises:
        NsledgerError: our change cannot be told apart in a file, or somebody else names our files
            in a way that cannot be taken out; the message names the file.
    """
    runtime = located(
        host,
        program=program or kept.containerd_program or "containerd",
        main=main or kept.containerd_main,
        endpoint=None,
    )
    ours = known_specs(host, kept)
    files = {
        part.part: tuple(_file_back(host, part.part, file, ours) for file in part.files)
        for part in kept.parts
        if not only_kubelet or part.part is Part.KUBELET
    }
    _require_kubelet_released(host, files.get(Part.KUBELET, ()))
    dump = ""
    if only_kubelet:
        return Taken(kept, runtime, files, dump, ours)
    if not runtime.is_crio:
        files[Part.CONTAINERD] = _with_copies(host, runtime.main, files, ours)
        if runtime.found and {one.part for one in kept.parts} & {Part.CONTAINERD, Part.HOOK}:
            dump = effective_configuration(host, runtime.program, runtime.main)
    hooks = [one.path for one in files.get(Part.CONTAINERD, ())]
    named.require_no_hooks_entry(host, hooks)
    return Taken(kept, runtime, files, dump, ours)


def remove(host: Host, taken: Taken, *, release: Release, say: Say) -> bool:
    """Take it back; whether all of it is gone, and no tombstone was left.

    Raises:
        NsledgerError, OSError: why it could not be done; the node is as it was.
    """
    kept = taken.kept
    reversible = _Reversible(host, taken, release, say)
    try:
        for part in (Part.KUBELET, Part.CONTAINERD):
            reversible.take_back(part)
        reversible.stop_shim()
        is_needed = release.started_containers_need_hook()
    except BaseException:
        say("it failed; putting nsledger back as it was")
        reversible.restore()
        raise
    left = [part for part in kept.parts if part.part in (Part.SHIM, Part.HOOK)]
    for changed in reversed(left):
        if changed.part is Part.HOOK and is_needed:
            _leave_tombstone(host, say)
            continue
        if changed.part is Part.HOOK:
            run_all(host, changed.undo_before, say)
        for file in taken.files[changed.part]:
            put_back(host, file.path, file.back, say)
        run_all(host, changed.undo_after, say)
    if is_needed:
        hook = tuple(one for one in left if one.part is Part.HOOK)
        rest = msgspec.structs.replace(kept, parts=hook)
        manifests.save(host, rest)
        return False
    forget(host, kept)
    return True


def bypass(host: Host, taken: Taken, *, release: Release, say: Say) -> None:
    """Send the kubelet back to the runtime, and keep in mind that it was installed.

    Raises:
        NsledgerError, OSError: why it could not be done; the node is as it was.
    """
    reversible = _Reversible(host, taken, release, say)
    try:
        reversible.take_back(Part.KUBELET)
    except BaseException:
        say("it failed; the kubelet is told nsledger's socket again")
        reversible.restore()
        raise
    manifests.save(host, msgspec.structs.replace(taken.kept, bypassed=True))


class _Reversible:
    """The steps before the first deletion, and the way back from each."""

    def __init__(self, host: Host, taken: Taken, release: Release, say: Say) -> None:
        self._host, self._taken, self._release, self._say = host, taken, release, say
        self._begun: list[Part] = []
        self._commanded: set[Part] = set()

    def take_back(self, part: Part) -> None:
        """The configuration of `part` without us, in force."""
        host, files = self._host, self._taken.files.get(part, ())
        self._begun.append(part)
        for file in files:
            put_back(host, file.path, file.back, self._say)
        self._release.written(part)
        self._commanded.add(part)
        run_each(host, self._after(part), self._say)
        self._release.done(part)

    def stop_shim(self) -> None:
        """The daemon is stopped and starts no more."""
        part = self._taken.kept.part(Part.SHIM)
        if part is not None:
            self._begun.append(Part.SHIM)
            self._commanded.add(Part.SHIM)
            run_each(self._host, part.undo_before, self._say)

    def restore(self) -> None:
        """All as it was; an error on the way is told and the rest goes on."""
        # The daemon first: the kubelet is about to call it.
        for part in reversed(self._begun):
            if part is Part.SHIM:
                if self._starts_again():
                    run_all(self._host, [_START_SHIM], self._say)
                continue
            for file in self._taken.files.get(part, ()):
                try:
                    put_back(self._host, file.path, file.now, self._say)
                except OSError as error:
                    self._say(f"could not put back {file.path}: {error.strerror}")
            if part in self._commanded:
                run_all(self._host, self._after(part), self._say)

    def _after(self, part: Part) -> Sequence[Sequence[str]]:
        changed = self._taken.kept.part(part)
        if changed is not None:
            return changed.undo_after
        runs = self._host.is_this_machine and self._host.exists(SYSTEMD_RUNS)
        is_copied = bool(self._taken.files.get(part))
        return (
            (("systemctl", "restart", self._taken.runtime.service),) if runs and is_copied else ()
        )

    def _starts_again(self) -> bool:
        part = self._taken.kept.part(Part.SHIM)
        return part is not None and any("systemctl" in argv for argv in part.undo_before)


def _file_back(host: Host, part: Part, file: ChangedFile, ours: dict[str, str]) -> FileBack:
    """What `file` has to hold when `part` is taken back.

    Raises:
        NsledgerError: our change cannot be told apart in it.
    """
    now = host.content(file.path)
    before, after = file.content_before, file.after.content
    back: Content | None
    if part is Part.HOOK:
        back = before
    elif part is Part.SHIM and before is None and now != after:
        back = now  # by now it is the admin's own
    elif now is None or now == after:
        back = before
    elif part is Part.KUBELET and ENDPOINT.encode() in after.data:
        back = _kubelet_without_ours(file, now)
    elif part is Part.CONTAINERD and file.path.endswith(_TOML):
        data = without_ours(
            file.path,
            before=before.data if before else None,
            after=after.data,
            now=now.data,
            ours=ours,
        )
        back = None if data is None else replace(now, data=data)
    else:
        back = file.without_ours(now)
    return FileBack(file.path, now, back)


def _kubelet_without_ours(file: ChangedFile, now: Content) -> Content | None:
    """The kubelet's file with the endpoint that it had, found by its syntax.

    Raises:
        EditedSinceError: our change cannot be told apart.
    """
    before = file.content_before
    try:
        data = kubelet.without_ours(
            file.path,
            before=before.data if before else None,
            after=file.after.content.data,
            now=now.data,
            endpoint=ENDPOINT,
        )
    except NsledgerError:
        raise EditedSinceError(path=file.path) from None
    return None if data is None else replace(now, data=data)


def _require_kubelet_released(host: Host, back: Sequence[FileBack]) -> None:
    files: Files = host
    for file in back:
        files = Overlaid(files, file.path, None if file.back is None else file.back.data)
    kubelet.require_released(files, endpoint=ENDPOINT)


def _with_copies(
    host: Host, main: str, files: dict[Part, tuple[FileBack, ...]], ours: dict[str, str]
) -> tuple[FileBack, ...]:
    """The files of containerd that are to change: ours, and those into which ours were copied.

    Raises:
        StillNamedError: one that another program writes anew.
    """
    own = files.get(Part.CONTAINERD, ())
    known = {one.path: one for one in own}
    copies: list[FileBack] = []
    for file in _loaded(host, main):
        if file.path in known:
            continue
        keys = names_ours(file.text.encode(), ours)
        if keys is None:
            continue
        if keeper(file.path, file.head) is not None:
            raise named.StillNamedError(
                path=file.path, who=f"a generated file with {'.'.join(keys)}", named=keys[-1]
            )
        now = host.content(file.path)
        if now is None:
            continue
        data = without_ours(file.path, before=b"", after=b"", now=now.data, ours=ours)
        copies.append(FileBack(file.path, now, replace(now, data=data or b"")))
    return (*own, *copies)


def _loaded(host: Host, main: str) -> tuple[ConfigurationFile, ...]:
    return loaded(host.resolve(main), host.read, host.names)


def _leave_tombstone(host: Host, say: Say) -> None:
    """The hook's place holds a program that does nothing: a created container names it."""
    for path in code():
        content = host.content(path)
        if content is not None:
            host.write(path, replace(content, data=TOMBSTONE))
    say(
        f"{HOOK_DIRECTORY} does nothing now, and stays: a created container is yet to start with it"
    )
