"""Each trap that a node can fall into is told by the check that is named for it, and no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nsledger.cri.client import RuntimeCallError
from nsledger.node import base_specs, removal
from nsledger.node import manifest as manifests
from nsledger.node.doctor.context import Asking, CheckContext
from nsledger.node.doctor.examine import CHECKS, examine
from nsledger.node.doctor.outcome import CheckResult, Result
from nsledger.node.doctor.purposes import PURPOSES
from tests import programs
from tests.node.field_node import FieldNode, put

OF_THE_NODE = (
    *("containerd-configuration", "handlers", "base-spec", "base-spec-current", "rlimits"),
    *("annotations", "installed-files", "hook-interpreter", "hook-code", "kubelet-endpoint"),
)
"""Checks of a node's files; the others ask what this machine's kernel and services are."""

MAIN = "etc/containerd/config.toml"
SPEC = base_specs.DEFAULT_SPEC.lstrip("/")

Trap = Callable[[FieldNode], None]


def examined(node: FieldNode, *only: str) -> dict[str, CheckResult]:
    asking = Asking(
        runtime_version=lambda _: ("containerd", "1.6.20"),
        last_record_ns=lambda _: None,
        run_probe=None,
    )
    context = CheckContext(node.host, asking, program="containerd", main="")
    return {one.check: one for one in examine(context, only=only or OF_THE_NODE)}


@pytest.fixture
def node(tmp_path: Path) -> FieldNode:
    """An installed node of the first generation; its files may be broken."""
    node = put(tmp_path, "kubeadm-v2", 1)
    (tmp_path / "usr/bin/python3").touch()  # for those who ask whether it is there
    node.install()
    return node


def edit(path: str, old: str, new: str) -> Trap:
    def trap(node: FieldNode) -> None:
        file = node.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return trap


def edit_spec(change: Callable[[dict[str, dict[str, object]]], object]) -> Trap:
    def trap(node: FieldNode) -> None:
        spec = json.loads((node.root / SPEC).read_text())
        change(spec)
        (node.root / SPEC).write_text(json.dumps(spec))

    return trap


def as_kubeadm_wrote_it(path: str) -> Trap:
    def trap(node: FieldNode) -> None:
        source = Path(__file__).with_name("field") / "kubeadm-v2" / path
        (node.root / path).write_bytes(source.read_bytes())

    return trap


def bypassed(node: FieldNode) -> None:
    kept = manifests.load(node.host)
    assert kept is not None
    taken = removal.prepared(node.host, kept, only_kubelet=True)
    removal.bypass(node.host, taken, release=removal.Released(), say=lambda _: None)


ANOTHER = """
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
  runtime_type = "io.containerd.runc.v2"
"""


@pytest.mark.containerd1
def test_an_installed_node_is_well(node: FieldNode) -> None:
    found = examined(node)

    assert {name: one.result for name, one in found.items()} == dict.fromkeys(
        OF_THE_NODE, Result.OK
    )
    assert not any(one.remedy for one in found.values())


@pytest.mark.containerd1
@pytest.mark.parametrize(
    ("trap", "told"),
    [
        (
            edit(MAIN, 'pod_annotations = ["nsledger.dev/*"]', "pod_annotations = []"),
            {"annotations"},
        ),
        (edit(MAIN, "[timeouts]", f"{ANOTHER}\n[timeouts]"), {"handlers", "annotations"}),
        (as_kubeadm_wrote_it(MAIN), {"handlers", "annotations"}),
        (as_kubeadm_wrote_it("var/lib/kubelet/kubeadm-flags.env"), {"kubelet-endpoint"}),
        (bypassed, {"kubelet-endpoint"}),
        (
            edit_spec(lambda spec: spec["process"].update(rlimits=[{"type": "RLIMIT_NOFILE"}])),
            {"rlimits", "base-spec-current"},
        ),
        (edit_spec(lambda spec: spec.pop("mounts")), {"base-spec", "base-spec-current"}),
        (
            edit_spec(lambda spec: spec["linux"].update(namespaces=[])),
            {"base-spec", "base-spec-current"},
        ),
        (edit_spec(lambda spec: spec.pop("hooks")), {"base-spec", "base-spec-current"}),
        (
            lambda node: (node.root / SPEC).write_text("{"),
            {"base-spec", "base-spec-current", "rlimits"},
        ),
        (lambda node: (node.root / SPEC).unlink(), {"base-spec", "base-spec-current"}),
        (lambda node: (node.root / "var/lib/nsledger/hook/launch.py").unlink(), {"hook-code"}),
        (lambda node: (node.root / "var/lib/nsledger/hook/hook.py").write_text(""), {"hook-code"}),
        (
            edit(MAIN, "[grpc]", "[grpc"),
            {
                "containerd-configuration",
                "handlers",
                "base-spec",
                "base-spec-current",
                "annotations",
            },
        ),
    ],
    ids=[
        *("a list without ours", "a handler that came later", "containerd's file made anew"),
        *("kubelet's flags made anew", "bypassed", "a limit of 1024 files", "no mounts"),
        *("no namespaces", "no hook", "no JSON", "no base spec", "no launcher", "another hook"),
        "no TOML",
    ],
)
def test_a_trap_is_told_with_its_remedy_and_nothing_else_is(
    node: FieldNode, trap: Trap, told: set[str]
) -> None:
    trap(node)

    found = examined(node)

    wrong = {name: one for name, one in found.items() if one.result is not Result.OK}
    # What was installed was edited: that check sees every one of these.
    assert wrong.keys() - {"installed-files"} == told
    assert all(one.evidence and one.remedy for one in wrong.values())


@pytest.mark.containerd1
def test_an_admins_base_spec_that_changed_is_not_in_ours(tmp_path: Path) -> None:
    node = put(tmp_path, "kind", 1)
    node.install()
    assert examined(node, "base-spec-current")["base-spec-current"].result is Result.OK

    spec = tmp_path / "etc/containerd/cri-base.json"
    spec.write_text(spec.read_text().replace("1024", "65536"))

    (found,) = examined(node, "base-spec-current").values()
    assert found.result is Result.WARNING
    assert "/etc/containerd/cri-base.json" in found.evidence


@pytest.mark.containerd1
def test_a_node_without_nsledger_is_told_so_and_not_changed(tmp_path: Path) -> None:
    node = put(tmp_path, "kubeadm-v2", 1)
    before = node.snapshot()

    found = examined(node)

    assert {"handlers", "installed-files", "hook-code", "kubelet-endpoint"} <= {
        name for name, one in found.items() if one.result is Result.FAILED
    }
    assert node.snapshot() == before


def test_every_check_has_a_purpose_and_the_other_way_round() -> None:
    assert CHECKS.keys() == PURPOSES.keys()


def test_only_and_skip_pick_checks(tmp_path: Path) -> None:
    def refuse(_: str) -> tuple[str, str]:
        raise RuntimeCallError(method="Version", code="UNAVAILABLE")

    node = put(tmp_path, "no-file", 1)
    asking = Asking(runtime_version=refuse, last_record_ns=lambda _: None, run_probe=None)
    context = CheckContext(node.host, asking, program="containerd", main="/none")

    names = ("shim-socket", "runtime-socket", "hook-fires")
    found = list(examine(context, only=names, skip=("runtime-socket",)))

    assert [(one.check, one.result) for one in found] == [
        ("shim-socket", Result.UNKNOWN),
        ("hook-fires", Result.UNKNOWN),
    ]


@pytest.mark.root
def test_without_root_it_looks_as_far_as_it_can() -> None:
    done = subprocess.run(
        [
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"),
            *(sys.executable, "-m", "nsledger.cli.main", "doctor", "-o", "json"),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(programs.SHIM), "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.stderr == ""
    assert done.returncode in (0, 1)
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert list(found) == list(PURPOSES)
    assert found["ptrace"]["result"] == "unknown"
