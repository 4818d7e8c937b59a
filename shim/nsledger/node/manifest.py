"""What an installation changed, kept on the node so that it can be taken back byte for byte.

Written before the first change and after each phase: whatever dies in between, the way back is on
disk. It holds the bytes of the admin's files, which may contain credentials: mode 0600, and none of
it goes into a message.
"""

from __future__ import annotations

import base64
from typing import Final, Self

import msgspec

from nsledger.errors import NsledgerError
from nsledger.node.changes import Command, FileChange, Part, Phase
from nsledger.node.reverse import EditedSinceError, content_without_ours
from nsledger.node.root import Content, Host

MANIFEST: Final = "/var/lib/nsledger/install/manifest.json"
_MODE: Final = 0o600
_FORMAT: Final = 1


class ManifestError(NsledgerError):
    """A manifest that this version cannot follow."""

    hint = "It was written by another version of nsledger: uninstall with that one."

    def __init__(self, *, found: str) -> None:
        super().__init__(f"{MANIFEST}: {found}; needed a manifest of format {_FORMAT}")


class KeptContent(msgspec.Struct, frozen=True):
    """A `Content`, for JSON."""

    data: str
    """Base64: a configuration need not be UTF-8."""
    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, content: Content) -> Self:
        """`content`, for JSON."""
        data = base64.b64encode(content.data).decode()
        return cls(data=data, mode=content.mode, uid=content.uid, gid=content.gid)

    @property
    def content(self) -> Content:
        """What it stands for."""
        return Content(base64.b64decode(self.data), self.mode, self.uid, self.gid)


class ChangedFile(msgspec.Struct, frozen=True):
    """One file: what was there before the first installation, and what the last one wrote."""

    path: str
    before: KeptContent | None
    after: KeptContent

    @property
    def content_before(self) -> Content | None:
        """What was there before the first installation."""
        return None if self.before is None else self.before.content

    def without_ours(self, now: Content | None) -> Content | None:
        """What `now` is without our change; None: nothing is to be there.

        Raises:
            EditedSinceError: our change cannot be told apart.
        """
        before, after = self.content_before, self.after.content
        return content_without_ours(self.path, before=before, after=after, now=now)


class ChangedPart(msgspec.Struct, frozen=True):
    """One phase, as far as it has to be undone."""

    part: Part
    files: tuple[ChangedFile, ...]
    undo_before: tuple[tuple[str, ...], ...] = ()
    undo_after: tuple[tuple[str, ...], ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """Everything that an uninstallation goes by."""

    format: int = _FORMAT
    version: str = ""
    """Of the nsledger that wrote it."""
    parts: tuple[ChangedPart, ...] = ()
    """In the order in which they were done."""
    directories: tuple[str, ...] = ()
    """Made by us, outermost first."""
    sources: dict[str, str] = {}
    """As `Plan.sources`."""
    bypassed: bool = False
    """Whether the kubelet was sent back to the runtime's own socket."""
    containerd_program: str = ""
    """containerd's, by which the installation went; empty from an older version, and for CRI-O."""
    containerd_main: str = ""
    """Its main configuration file, likewise."""

    def with_phase(self, phase: Phase) -> Manifest:
        """This, and what `phase` changes. What a file was before the first time stays."""
        known = {file.path: file for part in self.parts for file in part.files}
        own = next((part for part in self.parts if part.part == phase.part), None)
        files = {file.path: file for file in (own.files if own else ())}
        for change in phase.files:
            if change.path in known or change.changes:
                files[change.path] = _changed(change, known.get(change.path))
        part = ChangedPart(
            part=phase.part,
            files=tuple(files.values()),
            undo_before=_argvs(phase.undo_before),
            undo_after=_argvs(phase.undo_after),
        )
        others = [other for other in self.parts if other.part != phase.part]
        order = list(Part)
        parts = sorted([*others, part], key=lambda one: order.index(one.part))
        return msgspec.structs.replace(self, parts=tuple(parts))

    def without(self, part: Part) -> Manifest:
        """This, when `part` is undone."""
        left = tuple(one for one in self.parts if one.part != part)
        return msgspec.structs.replace(self, parts=left)

    def part(self, part: Part) -> ChangedPart | None:
        """What was changed for `part`."""
        return next((one for one in self.parts if one.part == part), None)


def load(host: Host) -> Manifest | None:
    """The node's manifest; None where nothing is installed.

    Raises:
        ManifestError: it cannot be followed.
    """
    data = host.read(MANIFEST)
    if data is None:
        return None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise ManifestError(found=str(error)) from None
    if manifest.format != _FORMAT:
        raise ManifestError(found=f"found format {manifest.format}")
    return manifest


def save(host: Host, manifest: Manifest) -> None:
    """Keep `manifest` on the node, durably; its directory is there."""
    host.write(MANIFEST, Content(msgspec.json.encode(manifest), _MODE))


def _changed(change: FileChange, known: ChangedFile | None) -> ChangedFile:
    before = change.before
    if known is not None:
        try:
            before = known.without_ours(change.before)
        except EditedSinceError:
            before = known.content_before
    kept = None if before is None else KeptContent.of(before)
    return ChangedFile(path=change.path, before=kept, after=KeptContent.of(change.after))


def _argvs(commands: tuple[Command, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(command.argv for command in commands)
