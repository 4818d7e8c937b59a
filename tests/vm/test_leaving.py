"""nsledger is taken off the machine, by its own command and by dpkg."""

from __future__ import annotations

import pytest

from tests.vm.node import CONTAINERD, LEDGER, Node

pytestmark = pytest.mark.vm


def assert_it_is_as_before(node: Node) -> None:
    """The configuration byte for byte, and a kubelet whose pods start."""
    assert node.configuration() == node.configuration_before
    assert node.effective() == node.effective_before
    node.wait_for_answered_calls()
    assert node.kubelet().endpoint == CONTAINERD
    assert node.limits(CONTAINERD) == node.limits_before
    assert node.machine.run("systemctl", "--failed", "--no-legend") == ""


def test_an_uninstallation_puts_everything_back_and_leaves_the_ledger(installed: Node) -> None:
    records = len(installed.records())

    installed.machine.run("nsledger", "uninstall", limit_s=300)

    assert_it_is_as_before(installed)
    assert installed.daemon_pid() == 0
    assert len(installed.records()) >= records
    assert "sound" in installed.ask("verify")


def test_a_purge_removes_the_ledger(installed: Node) -> None:
    installed.machine.run("nsledger", "uninstall", "--purge")

    assert installed.machine.attempt("test", "-e", "/var/lib/nsledger").code == 1
    assert installed.configuration() == installed.configuration_before


def test_removing_the_package_from_a_node_in_use_takes_nsledger_off_first(installed: Node) -> None:
    installed.install()
    assert len(installed.run_pods({"name": "before-removal"})) == 1

    installed.machine.run("dpkg", "--remove", "nsledger", limit_s=300)

    assert_it_is_as_before(installed)
    assert installed.machine.attempt("test", "-e", "/usr/bin/nsledger").code == 1
    assert installed.machine.attempt("test", "-d", LEDGER).code == 0
    # The pod whose container the hook has seen goes on, and ends like any other.
    installed.remove_pods(CONTAINERD)


def test_purging_the_package_removes_what_it_kept(installed: Node) -> None:
    installed.machine.run("dpkg", "--purge", "nsledger")

    assert installed.machine.attempt("test", "-e", "/var/lib/nsledger").code == 1
    assert installed.machine.attempt("test", "-e", "/etc/nsledger").code == 1
    assert_it_is_as_before(installed)
