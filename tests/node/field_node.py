"""Nodes that are files: a configuration as found in the field, read by a real containerd."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import subprocess
from pathlib import Path

from demo.installation import Installation
from nsledger.node import manifest as manifests
from nsledger.node import removal
from nsledger.node.apply import apply
from nsledger.node.changes import Part, Plan
from nsledger.node.planning import plan
from nsledger.node.proof import NodeProof, NodeRelease
from nsledger.node.root import Host
from nsledger.node.settings import ENDPOINT
from nsledger.node.survey import Survey, survey
from tests.conftest import SID_TREE

FIELD = Path(__file__).with_name("field")
ENTER = str(Path(__file__).with_name("enter-field"))

Snapshot = dict[str, tuple[int, bytes | str]]


@dataclasses.dataclass(frozen=True)
class FieldNode:
    """A node of files, with a real containerd to read them."""

    root: Path
    host: Host

    def survey(self) -> Survey:
        return survey(
            self.host,
            containerd="containerd",
            configuration="",
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
        proof = NodeProof(self.host, found, probe=False, say=lambda _: None)
        apply(self.host, self.plan(found), version="1", proof=proof, say=lambda _: None)

    def uninstall(self) -> None:
        kept = manifests.load(self.host)
        assert kept is not None
        taken = removal.prepared(self.host, kept)
        release = NodeRelease(self.host, taken, say=lambda _: None)
        assert removal.remove(self.host, taken, release=release, say=lambda _: None)

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
