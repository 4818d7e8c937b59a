"""Configurations as they are found in the field, and what an installation does to each of them.

containerd itself, of two generations, says what is in force before and after.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.installation import Installation
from nsledger.cli.proof import NodeProof
from nsledger.errors import NsledgerError
from nsledger.node import manifest as manifests
from nsledger.node import plan_text
from nsledger.node.apply import Unproved, apply, forget, undo
from nsledger.node.changes import Part, Plan
from nsledger.node.containerd import CriDisabledError, UnsupportedConfigurationError
from nsledger.node.containerd_files import (
    GeneratedConfigurationError,
    UnreadableConfigurationError,
)
from nsledger.node.host import Host
from nsledger.node.planning import ENDPOINT, plan
from nsledger.node.survey import CONTAINERD_CONFIGURATION, RuntimeRefusedError, Survey, survey
from tests import golden
from tests.conftest import SID_TREE

FIELD = Path(__file__).with_name("field")
GOLDEN = Path(__file__).with_name("golden")
ENTER = str(Path(__file__).with_name("enter-field"))

FIRST = pytest.param(1, marks=pytest.mark.containerd1)
SECOND = pytest.param(2, marks=pytest.mark.containerd2)

Snapshot = dict[str, tuple[int, bytes | str]]


def at(generation: int, *names: str) -> list[object]:
    """A case for each field configuration on a generation of containerd."""
    mark = pytest.mark.containerd1 if generation == 1 else pytest.mark.containerd2
    return [
        pytest.param(name, generation, marks=mark, id=f"{name}-containerd{generation}")
        for name in names
    ]


INSTALLABLE = [
    *at(1, "kubeadm-v2", "kind", "nvidia-v2", "several-handlers", "nothing-disabled", "no-file"),
    *at(2, "kubeadm-v3", "kubeadm-v2", "kind", "k3s", "nvidia-v3", "several-handlers"),
    *at(2, "nothing-disabled", "no-file"),
]


@dataclasses.dataclass(frozen=True)
class FieldNode:
    """A node of files, with a real containerd to read them."""

    root: Path
    host: Host

    def survey(self) -> Survey:
        return survey(
            self.host,
            containerd="containerd",
            configuration=CONTAINERD_CONFIGURATION,
            endpoint=ENDPOINT,
        )

    def plan(self, found: Survey | None = None) -> Plan:
        return plan(
            self.host,
            found or self.survey(),
            program="/usr/bin/nsledger",
            parts=frozenset(Part),
        )

    def install(self) -> None:
        found = self.survey()
        proof = NodeProof(
            self.host,
            found,
            "containerd",
            CONTAINERD_CONFIGURATION,
            probe=False,
            say=lambda _: None,
        )
        apply(self.host, self.plan(found), version="1", proof=proof, say=lambda _: None)

    def uninstall(self) -> None:
        kept = manifests.load(self.host)
        assert kept is not None
        for part in reversed(kept.parts):
            kept = undo(self.host, part, kept, lambda _: None)
        forget(self.host, kept)

    def snapshot(self) -> Snapshot:
        """Every file, link and directory with its mode and content."""
        found: Snapshot = {}
        for path in sorted(self.root.rglob("*")):
            mode = path.lstat().st_mode
            content: bytes | str = b""
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            found[str(path.relative_to(self.root))] = (mode, content)
        return found


def put(root: Path, name: str, generation: int) -> FieldNode:
    """The field configuration `name` as a node below `root`."""
    shutil.copytree(FIELD / name, root, dirs_exist_ok=True)
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/containerd").touch()
    if name == "kind":
        installation = Installation.of_this_machine()
        spec = subprocess.run([installation.ctr, "oci", "spec"], check=True, capture_output=True)
        (root / "etc/containerd/cri-base.json").write_bytes(spec.stdout)
    tree = "/" if generation == 1 else str(SID_TREE)
    unshare = ("unshare", "--mount", "--propagation", "private")
    return FieldNode(root, Host(root=str(root), enter=(*unshare, ENTER, str(root), tree)))


def text(planned: Plan) -> list[str]:
    """The plan's text for containerd and the kubelet; the hook's code has tests of its own."""
    phases = tuple(
        phase for phase in planned.phases if phase.part in (Part.CONTAINERD, Part.KUBELET)
    )
    return list(plan_text.lines(dataclasses.replace(planned, phases=phases)))


@pytest.mark.parametrize(("name", "generation"), INSTALLABLE)
def test_what_is_changed_is_what_was_looked_at(name: str, generation: int, tmp_path: Path) -> None:
    node = put(tmp_path, name, generation)
    before = node.snapshot()

    planned = node.plan()

    golden.check(GOLDEN / f"{name}-containerd{generation}.txt", text(planned))
    assert node.snapshot() == before


@pytest.mark.parametrize(("name", "generation"), INSTALLABLE)
def test_installed_twice_and_uninstalled_it_is_byte_for_byte_what_it_was(
    name: str, generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, name, generation)
    before = node.snapshot()

    node.install()  # containerd's own account of it is part of the installation
    once = node.snapshot()
    assert not node.plan().changes
    node.install()
    assert node.snapshot() == once
    node.uninstall()

    assert once != before
    assert node.snapshot() == before


@pytest.mark.parametrize(
    ("name", "generation", "error"),
    [
        pytest.param("docker", 1, CriDisabledError, marks=pytest.mark.containerd1),
        pytest.param("docker", 2, CriDisabledError, marks=pytest.mark.containerd2),
        pytest.param("wrong-version", 1, NsledgerError, marks=pytest.mark.containerd1),
        pytest.param("wrong-version", 2, RuntimeRefusedError, marks=pytest.mark.containerd2),
        pytest.param(
            "old-version", 1, UnsupportedConfigurationError, marks=pytest.mark.containerd1
        ),
        pytest.param("old-version", 2, NsledgerError, marks=pytest.mark.containerd2),
        pytest.param(
            "syntax-error", 1, UnreadableConfigurationError, marks=pytest.mark.containerd1
        ),
        pytest.param(
            "syntax-error", 2, UnreadableConfigurationError, marks=pytest.mark.containerd2
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_left_alone(
    name: str, generation: int, error: type[NsledgerError], tmp_path: Path
) -> None:
    node = put(tmp_path, name, generation)
    before = node.snapshot()

    with pytest.raises(error) as caught:
        node.install()

    assert caught.value.hint or isinstance(caught.value, RuntimeRefusedError)
    assert node.snapshot() == before


@pytest.mark.containerd1
def test_a_generated_file_is_not_edited(tmp_path: Path) -> None:
    node = put(tmp_path, "kubeadm-v2", 1)
    main = tmp_path / "etc/containerd/config.toml"
    main.write_text(f"# File generated by k3s. DO NOT EDIT.\n{main.read_text()}")

    with pytest.raises(GeneratedConfigurationError):
        node.install()


@pytest.mark.parametrize(("name", "generation"), [*at(1, "kubeadm-v2"), *at(2, "kubeadm-v2")])
def test_a_file_with_crlf_is_edited_in_kind_and_restored(
    name: str, generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, name, generation)
    main = tmp_path / "etc/containerd/config.toml"
    main.write_bytes(main.read_bytes().replace(b"\n", b"\r\n"))
    before = node.snapshot()

    node.install()

    edited = main.read_bytes()
    assert edited != before["etc/containerd/config.toml"][1]
    assert edited.count(b"\n") == edited.count(b"\r\n")
    node.uninstall()
    assert node.snapshot() == before


@pytest.mark.containerd1
def test_a_linked_file_is_changed_where_it_is_and_the_link_stays(tmp_path: Path) -> None:
    node = put(tmp_path, "kubeadm-v2", 1)
    # Absolute, as an admin makes it: inside of the image it leads into the image.
    (tmp_path / "etc/containerd/config.toml").rename(tmp_path / "etc/containerd/managed.toml")
    (tmp_path / "etc/containerd/config.toml").symlink_to("/etc/containerd/managed.toml")
    before = node.snapshot()

    node.install()

    assert (tmp_path / "etc/containerd/config.toml").is_symlink()
    assert b"nsledger" in (tmp_path / "etc/containerd/managed.toml").read_bytes()
    node.uninstall()
    assert node.snapshot() == before


@pytest.mark.containerd1
def test_a_read_only_file_system_is_told_before_anything_is_touched(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    node = put(tmp_path, "kubeadm-v2", 1)
    place = str(tmp_path / "etc/containerd")
    subprocess.run(["mount", "--bind", place, place], check=True)
    request.addfinalizer(lambda: subprocess.run(["umount", place], check=True))
    subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
    before = node.snapshot()

    with pytest.raises(OSError, match="Read-only file system") as caught:
        node.install()

    assert caught.value.filename == "/etc/containerd/config.toml"
    assert node.snapshot() == before


Edit = Callable[[str], str]


@pytest.mark.containerd1
@pytest.mark.parametrize(
    "edit",
    [
        lambda text: f"# by the admin\n{text}",
        lambda text: f"{text}\n[debug]\n  level = 'info'\n",
        lambda text: text.replace("pause:3.9", "pause:3.10"),
    ],
    ids=["head", "end", "another line"],
)
def test_what_an_admin_changed_since_stays_when_ours_is_taken_out(
    edit: Edit, tmp_path: Path
) -> None:
    node = put(tmp_path, "kubeadm-v2", 1)
    main = tmp_path / "etc/containerd/config.toml"
    original = main.read_text()
    node.install()
    main.write_text(edit(main.read_text()))

    node.uninstall()

    assert main.read_text() == edit(original)


@pytest.mark.containerd1
@pytest.mark.parametrize("failing", list(Part))
def test_a_step_that_fails_takes_back_all_before_it(failing: Part, tmp_path: Path) -> None:
    class Fails(Unproved):
        def done(self, part: Part) -> None:
            if part is failing:
                raise KeyboardInterrupt

    node = put(tmp_path, "kubeadm-v2", 1)
    before = node.snapshot()

    with pytest.raises(KeyboardInterrupt):
        apply(node.host, node.plan(), version="1", proof=Fails(), say=lambda _: None)

    assert node.snapshot() == before


@pytest.mark.containerd1
def test_a_diff_shows_no_credentials_and_the_manifest_is_private(tmp_path: Path) -> None:
    node = put(tmp_path, "several-handlers", 1)
    planned = node.plan()

    node.install()

    assert "planted" not in "\n".join(plan_text.lines(planned))
    kept = tmp_path / manifests.MANIFEST.lstrip("/")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    manifest = manifests.load(node.host)
    assert manifest is not None
    part = manifest.part(Part.CONTAINERD)
    assert part is not None
    assert any(b"planted" in base64.b64decode(one.before.data) for one in part.files if one.before)
