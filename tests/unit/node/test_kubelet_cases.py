"""Kubelets as they are found in the field: what `install` and `uninstall` do to their files.

What the kubelet gets afterwards is read here by other means than the installation's: the files are
compared as text, and read by the parsers of JSON and YAML.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from nsledger.cli import exit_codes
from nsledger.cli.installation import bypass, install, uninstall
from nsledger.node.kubelet import KubeletHeldError
from tests.unit.node.nodes import CONFIG, KUBEADM, node

CASES = Path(__file__).with_name("kubelet_cases")
OURS = "unix:///run/nsledger/cri.sock"
THEIRS = "unix:///run/containerd/containerd.sock"
DEFAULT = "/etc/default/kubelet"

FLAGS = [
    ("k1-quoted", DEFAULT, THEIRS),
    ("k2-both", DEFAULT, THEIRS),
    ("k15-kubespray", "/etc/kubernetes/kubelet.env", "/var/run/containerd/containerd.sock"),
    ("k20-specifier", DEFAULT, THEIRS),
]
CONFIGURATIONS = [
    ("kubeadm", CONFIG),
    ("k3-comment", CONFIG),
    ("k21-unused", CONFIG),
    ("k4-json", "/etc/kubernetes/kubelet/kubelet-config.json"),
    ("k5-json-has", "/etc/kubernetes/kubelet/kubelet-config.json"),
    ("k14-al2023", "/etc/kubernetes/kubelet/config.json"),
    *((f"k{name}", CONFIG) for name in ("7-yaml-end", "8-yaml-indent", "10-yaml-fold")),
    *((f"k{name}", CONFIG) for name in ("11-yaml-flow", "13-yaml-block")),
]
pytestmark = pytest.mark.root


def put(root: Path, name: str) -> Path:
    """The case below `root`; where it is a configuration alone, of a kubeadm node."""
    if not (CASES / name / "usr").exists():
        node(root, dict(KUBEADM))
    shutil.copytree(CASES / name, root, dirs_exist_ok=True)
    return root


def installed(root: Path) -> int:
    return install(
        dry_run=False,
        only=("kubelet",),
        root=str(root),
        containerd="containerd",
        containerd_config="/etc/containerd/config.toml",
        probe=False,
    )


def snapshot(root: Path) -> dict[str, str]:
    return {
        f"/{path.relative_to(root)}": path.read_bytes().decode()
        for path in root.rglob("*")
        if path.is_file() and "nsledger" not in path.name and "manifest" not in path.name
    }


def configuration(text: str) -> dict[str, Any]:
    found: dict[str, Any] = (
        json.loads(text) if text.startswith(('{"', "{\n")) else yaml.safe_load(text)
    )
    return found


@pytest.mark.parametrize(("name", "path", "old"), FLAGS, ids=[case[0] for case in FLAGS])
def test_the_flag_that_the_kubelet_gets_is_changed_and_comes_back(
    name: str, path: str, old: str, tmp_path: Path
) -> None:
    before = snapshot(put(tmp_path, name))

    assert installed(tmp_path) == exit_codes.OK

    assert snapshot(tmp_path) == {**before, path: before[path].replace(old, OURS)}
    assert uninstall(root=str(tmp_path), purge=False) == exit_codes.OK
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(("name", "path"), CONFIGURATIONS, ids=[case[0] for case in CONFIGURATIONS])
def test_the_configuration_that_counts_is_changed_and_comes_back(
    name: str, path: str, tmp_path: Path
) -> None:
    before = snapshot(put(tmp_path, name))

    assert installed(tmp_path) == exit_codes.OK

    after = snapshot(tmp_path)
    assert after.keys() == before.keys()
    assert [one for one in after if after[one] != before[one]] == [path]
    wanted = {**configuration(before[path]), "containerRuntimeEndpoint": OURS}
    assert configuration(after[path]) == wanted
    assert path.endswith("json") == after[path].startswith("{") or "flow" in name
    # Once more there is nothing to do, and then all is as it was.
    assert installed(tmp_path) == exit_codes.OK
    assert snapshot(tmp_path) == after
    assert uninstall(root=str(tmp_path), purge=False) == exit_codes.OK
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "path", "since"),
    [
        ("k4-json", "/etc/kubernetes/kubelet/kubelet-config.json", ('"\n}', '",\n  "a": 1\n}')),
        ("k8-yaml-indent", CONFIG, ("  kind: KubeletConfiguration\n", "  kind: K\n")),
        ("k3-comment", CONFIG, ("cgroupDriver: systemd\n", "cgroupDriver: cgroupfs\n")),
        ("k2-both", DEFAULT, ('ARGS="', 'ARGS="--v=4 ')),
    ],
)
def test_ours_is_taken_out_of_a_line_that_was_edited_since(
    name: str, path: str, since: tuple[str, str], tmp_path: Path
) -> None:
    before = snapshot(put(tmp_path, name))
    assert installed(tmp_path) == exit_codes.OK
    file = tmp_path / path.lstrip("/")
    file.write_text(file.read_text().replace(*since))
    edited = file.read_text()
    assert since[1] in edited

    assert bypass(back=False, root=str(tmp_path)) == exit_codes.OK

    if path == DEFAULT:
        assert file.read_text() == before[path].replace(*since)
    else:
        wanted = configuration(edited)
        old = configuration(before[path]).get("containerRuntimeEndpoint")
        wanted |= {"containerRuntimeEndpoint": old}
        assert {"containerRuntimeEndpoint": None} | configuration(file.read_text()) == wanted


def test_what_tells_the_kubelet_our_socket_besides_us_is_named_before_anything_is_undone(
    tmp_path: Path,
) -> None:
    put(tmp_path, "kubeadm")
    assert installed(tmp_path) == exit_codes.OK
    node(tmp_path, {DEFAULT: f"KUBELET_EXTRA_ARGS=--container-runtime-endpoint={OURS}\n"})
    before = snapshot(tmp_path)

    with pytest.raises(KubeletHeldError, match=rf"^{DEFAULT}:1: found --container-runtime"):
        uninstall(root=str(tmp_path), purge=False)

    assert snapshot(tmp_path) == before


def test_without_a_kubelet_an_installation_is_not_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installed(tmp_path) == exit_codes.FOUND

    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "not complete: without kubelet"
    assert "found no kubelet.service" in said[-2]
