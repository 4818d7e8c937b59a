"""The machine goes down, in order and without its power: what the ledger says of both."""

from __future__ import annotations

import pytest

from nsledger.model.events import ContainerStarted, Gap, NodeRebooted
from tests.vm.node import Node

pytestmark = pytest.mark.vm

_SYNCED_AFTER_S = 2.0
"""A group sync is due 50 ms after a record. A record is written before its call is answered."""


def test_a_reboot_is_on_record_and_ends_the_pods_of_before(installed: Node) -> None:
    installed.run_pods({"name": "before-reboot", "containers": ["app", "sidecar"]})
    installed.machine.wait_for("its records", lambda: runs(installed, "before-reboot"))
    boot_id = installed.machine.boot_id()

    installed.machine.reboot()

    installed.wait_for_answered_calls()
    reboot = installed.events(NodeRebooted)[-1]
    assert reboot.before_boot_id == boot_id
    assert "unclean_stop" not in {gap.reason for gap in gaps_since_boot(installed)}
    assert "sound" in installed.ask("verify")
    installed.machine.wait_for("the ends of the pods", lambda: not runs(installed, "before-reboot"))
    # The spool is on a file system that a boot empties: it was there before the first container.
    assert len(installed.run_pods({"name": "after-reboot"})) == 1
    installed.machine.wait_for("its records", lambda: witnessed(installed, "after-reboot"))
    installed.remove_pods()


def test_after_a_power_cut_the_ledger_is_sound_and_the_loss_is_declared(installed: Node) -> None:
    machine = installed.machine
    load = ("python3", "-I", "/opt/brought/workload.py", "/run/nsledger/cri.sock", "load")
    port = "/dev/virtio-ports/nsledger.started"
    machine.run("systemd-run", "--unit=load", "--property=Restart=no", *load, port)
    machine.wait_for("pods that come and go", lambda: len(installed.started()) >= 4)

    machine.cut_power()
    answered = installed.started()
    machine.power_on()

    installed.wait_for_answered_calls()
    assert "sound" in installed.ask("verify")
    assert "unclean_stop" in {gap.reason for gap in gaps_since_boot(installed)}
    assert installed.events(NodeRebooted)
    last_s = max(answered.values())
    old = {one for one, at_s in answered.items() if at_s < last_s - _SYNCED_AFTER_S}
    known = {one.container.container_id for one in installed.events(ContainerStarted)}
    assert old
    assert old <= known
    machine.wait_for("the ends of the pods", lambda: not runs(installed, "load-"))
    assert len(installed.run_pods({"name": "after-cut"})) == 1
    installed.remove_pods()


def gaps_since_boot(node: Node) -> list[Gap]:
    boot_id = node.machine.boot_id()
    return [
        record.event
        for record in node.records()
        if record.boot_id == boot_id and isinstance(record.event, Gap)
    ]


def runs(node: Node, name: str) -> bool:
    """Whether a pod that is called so, or begins so, runs by the ledger's account."""
    return name in node.ask("pods", "-o", "name")


def witnessed(node: Node, name: str) -> bool:
    return any(one.pod.name == name and one.witnessed for one in node.events(ContainerStarted))
