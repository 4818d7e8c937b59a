"""The package on a machine that it was just put on."""

from __future__ import annotations

import pytest

from tests.vm.node import Node

pytestmark = pytest.mark.vm


def test_the_package_runs_and_changes_nothing_by_itself(node: Node) -> None:
    node.install_package("current")

    assert node.machine.run("nsledger", "--version").strip() == f"nsledger {node.version}"
    assert node.configuration() == node.configuration_before
    states = node.systemd("nsledger.service", "ActiveState", "UnitFileState")
    assert states == {"ActiveState": "inactive", "UnitFileState": "disabled"}


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(node: Node) -> None:
    said = node.machine.run("nsledger", "install", "--dry-run")

    for path in ("/etc/containerd/config.toml", "/var/lib/kubelet/kubeadm-flags.env"):
        assert path in said
    assert node.configuration() == node.configuration_before
    assert node.machine.attempt("test", "-e", "/var/lib/nsledger/install").code == 1
