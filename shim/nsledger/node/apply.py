"""Carrying out a plan, and the way back: the one order in which a node is changed.

Forwards a phase is: the manifest, its files, its check, its commands, its check. Backwards:
commands, files, commands; the last phase first. A phase that fails is taken back, and all before
it, and then the error goes up.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from nsledger.errors import NsledgerError
from nsledger.node import manifest as manifests
from nsledger.node.changes import Part, Phase, Plan
from nsledger.node.crio import HOOK as HOOKS_ENTRY
from nsledger.node.manifest import Manifest
from nsledger.node.root import Content, Host

_DIRECTORY_MODE: Final = 0o755
_PRIVATE: Final = "/var/lib/nsledger"
_PRIVATE_MODE: Final = 0o700

Say = Callable[[str], None]


class CommandFailedError(NsledgerError):
    """A program of the node did not exit 0."""

    def __init__(self, argv: Sequence[str], *, code: int, stderr: str) -> None:
        last = stderr.strip().splitlines()[-1:] or ["it said nothing"]
        super().__init__(f"{' '.join(argv)}: exit code {code}: {last[0]}")
        self.argv, self.code = tuple(argv), code


class Proof(Protocol):
    """Shows that a phase did what it should, or raises."""

    def written(self, part: Part) -> None:
        """The files of `part` are there, its commands have not run."""

    def done(self, part: Part) -> None:
        """All of `part` is done."""


@dataclass(frozen=True, slots=True)
class Unproved:
    """Asks for no proof."""

    def written(self, part: Part) -> None:
        """Nothing to show."""

    def done(self, part: Part) -> None:
        """Nothing to show."""


def preflight(host: Host, plan: Plan) -> None:
    """Nothing, if every file of `plan` can be written.

    Raises:
        OSError: the first that cannot, with its path.
    """
    paths = [file.path for phase in plan.phases for file in phase.files if file.changes]
    for path in [manifests.MANIFEST, *paths] if paths else []:
        refusal = host.refusal_to_write(path)
        if refusal is not None:
            raise refusal


def apply(host: Host, plan: Plan, *, version: str, proof: Proof, say: Say) -> None:
    """Do all of `plan`, or leave the node as it was.

    Raises:
        NsledgerError, OSError: why it could not be done; what was done was taken back.
    """
    preflight(host, plan)
    found = manifests.load(host)
    before = found if found is not None else Manifest()
    kept = msgspec.structs.replace(
        before,
        version=version,
        sources={**before.sources, **dict(plan.sources)},
        bypassed=before.bypassed and all(one.part is not Part.KUBELET for one in plan.phases),
        containerd_program=plan.program or before.containerd_program,
        containerd_main=plan.main or before.containerd_main,
    )
    if not plan.changes:
        return
    application = _Application(host, proof, say)
    try:
        kept = _with_directories(kept, _make_parents(host, manifests.MANIFEST))
        for phase in plan.phases:
            kept = application.do(phase, kept)
    except BaseException:
        say("it failed; taking back what was done")
        application.take_back()
        if found is not None:
            manifests.save(host, found)
        else:
            _forget(host, manifests.load(host) or kept)
        raise


def forget(host: Host, kept: Manifest) -> None:
    """Remove the manifest and the directories that we made, as far as they are empty."""
    _forget(host, kept)


class _Application:
    """One run over the phases of a plan, and how far it came."""

    def __init__(self, host: Host, proof: Proof, say: Say) -> None:
        self._host, self._proof, self._say = host, proof, say
        self._begun: list[Phase] = []
        self._commanded: set[Part] = set()
        """Parts whose commands began: a service that was not restarted with the new files is not
        restarted for the old ones."""

    def do(self, phase: Phase, kept: Manifest) -> Manifest:
        """Do `phase`; the manifest with it."""
        host = self._host
        self._begun.append(phase)
        kept = kept.with_phase(phase)
        # Written ahead: the way back is on disk before there is anything to take back.
        manifests.save(host, kept)
        for file in phase.files:
            if not file.changes:
                continue
            made = _make_parents(host, file.path)
            if made and not file.path.endswith(f"/{HOOKS_ENTRY}"):
                # CRI-O looks no more at a hooks directory that was removed and made again.
                kept = _with_directories(kept, made)
                manifests.save(host, kept)
            host.write(file.path, file.after)
            self._say(f"wrote {file.path}")
        self._proof.written(phase.part)
        self._commanded.add(phase.part)
        for command in phase.commands:
            self._say(f"running {' '.join(command.argv)}")
            _run(host, command.argv)
        self._proof.done(phase.part)
        return kept

    def take_back(self) -> None:
        """Undo what was done; an error on the way is told and the rest goes on."""
        for phase in reversed(self._begun):
            commanded = phase.part in self._commanded
            if commanded:
                run_all(self._host, [one.argv for one in phase.undo_before], self._say)
            for file in phase.files:
                if file.changes:
                    try:
                        put_back(self._host, file.path, file.before, self._say)
                    except OSError as error:
                        self._say(f"could not put back {file.path}: {error.strerror}")
            if commanded:
                run_all(self._host, [one.argv for one in phase.undo_after], self._say)


def put_back(host: Host, path: str, content: Content | None, say: Say) -> None:
    """`path` holds `content`, or is gone for None."""
    if content is None:
        if host.content(path) is not None:
            host.remove(path)
            say(f"removed {path}")
    elif host.content(path) != content:
        _make_parents(host, path)
        host.write(path, content)
        say(f"restored {path}")


def _make_parents(host: Host, path: str) -> list[str]:
    directory = posixpath.dirname(path)
    if not f"{directory}/".startswith(f"{_PRIVATE}/"):
        return host.make_directories(directory, _DIRECTORY_MODE)
    made = host.make_directories(posixpath.dirname(_PRIVATE), _DIRECTORY_MODE)
    return made + host.make_directories(directory, _PRIVATE_MODE)


def _with_directories(kept: Manifest, made: Sequence[str]) -> Manifest:
    return msgspec.structs.replace(kept, directories=(*kept.directories, *made))


def _forget(host: Host, kept: Manifest) -> None:
    host.remove(manifests.MANIFEST)
    for directory in sorted(set(kept.directories), key=len, reverse=True):
        host.remove_empty_directory(directory)


def _run(host: Host, argv: Sequence[str]) -> None:
    done = host.run(*argv)
    if done.code:
        raise CommandFailedError(argv, code=done.code, stderr=done.stderr)


def run_each(host: Host, argvs: Sequence[Sequence[str]], say: Say) -> None:
    """Run each; the first that fails ends it.

    Raises:
        CommandFailedError, OSError: it failed.
    """
    for argv in argvs:
        say(f"running {' '.join(argv)}")
        _run(host, argv)


def run_all(host: Host, argvs: Sequence[Sequence[str]], say: Say) -> None:
    """Run each, whatever becomes of the one before."""
    for argv in argvs:
        say(f"running {' '.join(argv)}")
        try:
            _run(host, argv)
        except (CommandFailedError, OSError) as error:
            say(f"it failed, going on: {error}")
