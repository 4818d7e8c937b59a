"""The next version of the package on a node that is in use."""

from __future__ import annotations

import pytest

from nsledger.model.events import DaemonStarted
from tests.vm.node import LEDGER, Node

pytestmark = pytest.mark.vm


def test_an_upgrade_fails_no_call_and_keeps_ledger_index_and_configuration(installed: Node) -> None:
    running = installed.run_pods({"name": "before-upgrade"})["before-upgrade"]
    configuration = installed.configuration()
    admins = installed.machine.run("cat", "/etc/nsledger/nsledger.toml")
    records, kubelet = installed.records(), installed.kubelet()
    index = installed.machine.run("stat", "-c", "%i", f"{LEDGER}/index.sqlite")
    daemon = installed.daemon_pid()

    said = installed.install_package("next")

    installed.wait_for_another_daemon(daemon, limit_s=120)
    installed.machine.wait_for("more calls", lambda: installed.kubelet().calls > kubelet.calls + 30)
    now = installed.kubelet()
    assert (now.pid, now.failed) == (kubelet.pid, kubelet.failed), now
    assert "run 'nsledger install'" in said
    started = installed.events(DaemonStarted)[-1]
    assert (started.version, started.predecessor_pid) == (installed.next_version, daemon)
    assert started.pid == installed.daemon_pid()
    assert installed.records()[: len(records)] == records
    assert installed.machine.run("stat", "-c", "%i", f"{LEDGER}/index.sqlite") == index
    assert installed.configuration() == configuration
    assert installed.machine.run("cat", "/etc/nsledger/nsledger.toml") == admins
    assert "sound" in installed.ask("verify")
    assert "before-upgrade" in installed.ask("show", "demo/before-upgrade")
    net = running.namespaces["net"]
    assert "demo/before-upgrade" in installed.ask("whois", f"net:[{net}]")


def test_the_watchdog_and_systemd_follow_the_successor(installed: Node) -> None:
    found = installed.systemd(
        "nsledger.service", "ActiveState", "NRestarts", "WatchdogTimestampMonotonic"
    )
    before = int(found["WatchdogTimestampMonotonic"])

    def said_that_it_lives() -> bool:
        at = installed.systemd("nsledger.service", "WatchdogTimestampMonotonic")
        return int(at["WatchdogTimestampMonotonic"]) > before

    installed.machine.wait_for("the successor's watchdog message", said_that_it_lives, limit_s=30)
    assert found["ActiveState"] == "active"


def test_a_successor_that_is_killed_is_started_again_like_the_first(installed: Node) -> None:
    before = installed.daemon_pid()

    installed.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "nsledger")

    # systemd was told of it and did not start it: it has to hear of its end all the same.
    installed.wait_for_another_daemon(before, limit_s=60)
    assert "sound" in installed.ask("verify")


def test_an_installation_is_renewed_and_the_pods_of_before_stay(installed: Node) -> None:
    installed.install()

    said = installed.ask("doctor", "--only", "hook-code", "--only", "installed-files")
    assert "failed" not in said
    assert "before-upgrade" in installed.ask("pods", "-o", "name")
    installed.remove_pods()
