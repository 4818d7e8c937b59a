"""docs/installations.md: what an installation does on the shapes of node that there are, as it did.

Each row is an installation and an uninstallation of an image of that shape, read by a real
containerd, or a refusal; NSLEDGER_WRITE_GOLDEN=1 writes the page anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nsledger.errors import NsledgerError
from nsledger.node.changes import Part
from nsledger.node.containerd_files import GeneratedConfigurationError, keeper
from nsledger.node.kubelet import KubeletNotFoundError
from tests import golden
from tests.node.field_node import put
from tests.unit.node.nodes import KUBEADM
from tests.unit.node.nodes import node as files_of

PAGE = Path(__file__).parents[2] / "docs/installations.md"
KUBELETS = Path(__file__).parents[1] / "unit/node/kubelet_cases"

OPENING = """\
# What an installation does on which node

<!-- Made by tests/node/test_matrix.py from what it saw; the test keeps it so. -->

Each row of the first table was installed and uninstalled as an image of that shape. *containerd*
is who read the files before and after (`config dump`, 1.x and 2.x): only our keys were different,
and after the uninstallation every file was what it was, byte for byte. No row is a booted node of
that distribution: a whole machine is booted with Debian 13, containerd 1.7 and a stand-in for the
kubelet only (tests/vm). arm64 was not tried.
"""
REFUSED = """
## Refused, with the place that stays

A file that somebody writes anew is not edited. The message names the place below; `--dry-run`
shows the lines for it. Known by path and head; none of these was tried on a real node of that
distribution.

| distribution | file | place |
|---|---|---|
"""
CRIO = """
## CRI-O

On an image of a stock CRI-O (tests/unit/node/test_crio.py): the hook goes into the last writable
directory of `hooks_dir` in force, by default /usr/share/containers/oci/hooks.d; else a drop-in
adds one. No CRI-O runs in the tests; that a file put there fires at the next container was seen
on a CRI-O 1.37.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of node: a directory of `field`, a case of the kubelet over it."""

    name: str
    field: str
    generation: int
    kubelet: str = ""


SHAPES = (
    Shape("kubeadm 1.28 to 1.36, configuration of version 2", "plain", 1, "kubeadm"),
    Shape("kubeadm 1.28 to 1.36, configuration of version 2", "plain", 2, "kubeadm"),
    Shape("kubeadm, configuration of version 3", "kubeadm-v3", 2, "kubeadm"),
    Shape("kubeadm, no containerd configuration", "no-file", 1),
    Shape("kubeadm, no containerd configuration", "no-file", 2),
    Shape("kubespray", "plain", 1, "k15-kubespray"),
    Shape("EKS AL2 (JSON)", "plain", 1, "k4-json"),
    Shape("EKS AL2023 (JSON)", "plain", 2, "k14-al2023"),
    Shape("JSON that states the endpoint (EKS, AKS)", "plain", 1, "k5-json-has"),
    Shape("flag in /etc/default/kubelet", "plain", 1, "k1-quoted"),
    Shape("kind", "kind", 1),
    Shape("kind", "kind", 2),
    Shape("k3s with containerd 2 (imports a directory)", "k3s", 2),
    Shape("k0s (k0s_managed=true)", "k0s", 1),
    Shape("k0s (k0s_managed=true)", "k0s", 2),
    Shape("Flatcar's form (`--config` in containerd.service)", "unit-config", 2),
    Shape("GPU operator's handlers", "nvidia-v2", 1),
    Shape("GPU operator's handlers", "nvidia-v3", 2),
    Shape("containerd 1.x with `default_runtime`", "old-default-runtime", 1),
    Shape("Docker's containerd (CRI disabled)", "docker", 1),
)
GENERATED = (
    ("k3s, containerd 1.x", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml", ""),
    ("RKE2, containerd 1.x", "/var/lib/rancher/rke2/agent/etc/containerd/config.toml", ""),
    ("k0s", "/etc/k0s/containerd.toml", "# k0s_managed=true"),
    ("k0s", "/run/k0s/containerd-cri.toml", ""),
    ("MicroK8s", "/var/snap/microk8s/current/args/containerd.toml", ""),
    ("Ansible, Puppet, Chef, Salt", "/etc/containerd/config.toml", "# Ansible managed"),
    ("below /run or /tmp", "/run/containerd/config.toml", ""),
)


@pytest.mark.root
@pytest.mark.containerd1
@pytest.mark.containerd2
def test_the_page_says_what_an_installation_did(tmp_path: Path) -> None:
    golden.check(PAGE, "".join(page(tmp_path)).splitlines())


def page(directory: Path) -> Iterator[str]:
    yield f"{OPENING}\n| distribution | containerd | runtime's files | kubelet's file | proved |\n"
    yield "|---|---|---|---|---|\n"
    for number, shape in enumerate(SHAPES):
        yield f"| {shape.name} | {shape.generation}.x | {row(shape, directory / str(number))} |\n"
    yield REFUSED
    for name, path, head in GENERATED:
        found = keeper(path, head)
        assert found is not None
        yield f"| {name} | {path} | {found.place} |\n"
    yield CRIO


def row(shape: Shape, root: Path) -> str:
    """What was changed on the node, and how that is known."""
    root.mkdir()
    node = put(root, shape.field, shape.generation)
    if shape.kubelet:
        (root / "etc/systemd/system/kubelet.service").unlink(missing_ok=True)
        if not (KUBELETS / shape.kubelet / "usr").exists():
            files_of(root, dict(KUBEADM))
        shutil.copytree(KUBELETS / shape.kubelet, root, dirs_exist_ok=True)
    before = node.snapshot()
    try:
        found = node.survey()
        planned = node.plan(found)
    except GeneratedConfigurationError as error:
        return f"refused: {error.path} | untouched | nothing was written"
    except NsledgerError as error:
        return f"refused: {error} | untouched | nothing was written"
    changed = {
        part: ", ".join(file.path for file in phase.files if _is_configuration(file.path))
        for phase in planned.phases
        for part in [phase.part]
    }
    node.install()
    node.uninstall()
    assert node.snapshot() == before
    kubelet = changed.get(Part.KUBELET, "")
    if isinstance(found.kubelet, KubeletNotFoundError):
        kubelet = "not found: exit status 1"
    proved = f"containerd {shape.generation}.x; uninstalled byte for byte"
    return f"{changed.get(Part.CONTAINERD, '')} | {kubelet} | {proved}"


def _is_configuration(path: str) -> bool:
    return not path.endswith("50-nsledger.conf")
