"""A daemon that is killed or hangs, and a runtime that goes away: what systemd makes of it."""

from __future__ import annotations

import pytest

from nsledger.model.events import DaemonStarted, Gap
from tests.vm.node import Node

pytestmark = pytest.mark.vm

_WATCHDOG_S = 30.0
_START_S = 30.0
"""A start on an emulated processor; systemd waits 100 ms before it."""


def unclean_stops(node: Node) -> int:
    return sum(gap.reason == "unclean_stop" for gap in node.events(Gap))


def test_a_killed_daemon_serves_again_and_says_what_it_may_have_missed(installed: Node) -> None:
    before, gaps = installed.daemon_pid(), unclean_stops(installed)

    installed.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "nsledger")

    installed.wait_for_another_daemon(before, limit_s=_START_S)
    assert len(installed.run_pods({"name": "after-kill"})) == 1
    assert unclean_stops(installed) == gaps + 1
    assert "sound" in installed.ask("verify")


def test_a_daemon_that_hangs_is_replaced_by_the_watchdog(installed: Node) -> None:
    before, gaps = installed.daemon_pid(), unclean_stops(installed)

    installed.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "nsledger")

    installed.wait_for_another_daemon(before, limit_s=_WATCHDOG_S + _START_S)
    journal = installed.machine.run("journalctl", "--unit=nsledger.service", "--output=cat")
    assert "Watchdog timeout" in journal
    assert len(installed.run_pods({"name": "after-hang"})) == 1
    assert unclean_stops(installed) == gaps + 1
    assert "sound" in installed.ask("verify")


def test_a_restart_and_a_stop_of_the_runtime_leave_the_daemon_alone(installed: Node) -> None:
    daemon, starts = installed.daemon_pid(), len(installed.events(DaemonStarted))

    installed.machine.run("systemctl", "restart", "containerd.service")
    installed.machine.run("systemctl", "stop", "containerd.service")
    assert installed.systemd("nsledger.service", "ActiveState")["ActiveState"] == "active"
    installed.machine.run("systemctl", "start", "containerd.service")

    assert installed.daemon_pid() == daemon
    installed.wait_for_answered_calls()
    assert len(installed.run_pods({"name": "after-stop"})) == 1
    assert len(installed.events(DaemonStarted)) == starts
    installed.remove_pods()
