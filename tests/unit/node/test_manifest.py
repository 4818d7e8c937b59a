"""What a manifest keeps is what a file was before the first installation, not the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.node import manifest as manifests
from nsledger.node.changes import Command, FileChange, Part, Phase
from nsledger.node.manifest import MANIFEST, Manifest, ManifestError
from nsledger.node.root import Content, Host


def content(text: str) -> Content:
    return Content(text.encode(), 0o644)


def phase(before: Content | None, after: Content) -> Phase:
    return Phase(Part.KUBELET, (FileChange("/file", before, after),), undo_after=(RESTART,))


RESTART = Command(("systemctl", "restart", "kubelet"), "so")


def kept_before(manifest: Manifest) -> Content | None:
    part = manifest.part(Part.KUBELET)
    assert part is not None
    (file,) = part.files
    return file.content_before


def test_the_second_installation_keeps_what_the_first_found() -> None:
    first = Manifest().with_phase(phase(content("a\n"), content("a\nOURS\n")))

    second = first.with_phase(phase(content("a\nOURS\n"), content("a\nOURS 2\n")))

    assert kept_before(first) == kept_before(second) == content("a\n")


def test_what_an_admin_added_in_between_is_kept_too() -> None:
    first = Manifest().with_phase(phase(content("a\n"), content("a\nOURS\n")))

    second = first.with_phase(phase(content("new\na\nOURS\n"), content("new\na\nOURS 2\n")))

    assert kept_before(second) == content("new\na\n")


def test_a_file_that_we_made_was_nothing_before_however_often_we_write_it() -> None:
    first = Manifest().with_phase(phase(None, content("OURS\n")))

    assert kept_before(first.with_phase(phase(content("OURS\n"), content("OURS 2\n")))) is None


def test_a_file_that_does_not_change_is_none_of_ours() -> None:
    manifest = Manifest().with_phase(phase(content("a"), content("a")))

    assert manifest.part(Part.KUBELET) is not None
    assert [file for part in manifest.parts for file in part.files] == []


def test_parts_are_kept_in_the_order_of_an_installation() -> None:
    phases = [Phase(part, ()) for part in reversed(Part)]
    manifest = Manifest()
    for one in phases:
        manifest = manifest.with_phase(one)

    assert [part.part for part in manifest.parts] == list(Part)
    assert manifest.without(Part.SHIM).part(Part.SHIM) is None


def test_it_comes_back_from_disk_as_it_was_binary_files_too(tmp_path: Path) -> None:
    host = Host(root=str(tmp_path))
    binary = Content(bytes(range(256)), 0o600, 0, 0)
    manifest = Manifest(version="1", sources={"/a": ""}).with_phase(phase(binary, content("x")))
    host.make_directories(str(Path(MANIFEST).parent), 0o700)

    manifests.save(host, manifest)

    assert manifests.load(host) == manifest
    assert kept_before(manifest) == binary


@pytest.mark.parametrize("text", ["", "{", '{"format": 2}', '{"parts": 1}'])
def test_a_manifest_that_cannot_be_followed_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / MANIFEST.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(ManifestError):
        manifests.load(Host(root=str(tmp_path)))


def test_no_manifest_is_no_installation(tmp_path: Path) -> None:
    assert manifests.load(Host(root=str(tmp_path))) is None
