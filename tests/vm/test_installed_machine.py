"""nsledger as systemd runs it: its units, what they let it do, and what the node has by it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.vm.node import SHIM, Node

pytestmark = pytest.mark.vm

_CAP_CHOWN_AND_SYS_PTRACE = 1 << 0 | 1 << 19
_SECCOMP_FILTER = "2"
_UNITS_README = Path(__file__).parents[2] / "systemd/README.md"


def test_the_units_are_enabled_and_the_daemon_has_said_that_it_serves(installed: Node) -> None:
    daemon = installed.systemd(
        "nsledger.service", "ActiveState", "SubState", "UnitFileState", "Type", "WatchdogUSec"
    )
    timer = installed.systemd("nsledger-verify.timer", "ActiveState", "UnitFileState")

    assert daemon == {
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "enabled",
        "Type": "notify",
        "WatchdogUSec": "30s",
    }
    assert timer == {"ActiveState": "active", "UnitFileState": "enabled"}
    assert installed.machine.run("systemctl", "--failed", "--no-legend") == ""


def test_containerds_effective_configuration_differs_in_our_keys_only(installed: Node) -> None:
    before, after = installed.effective_before, installed.effective()

    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}

    runc = "/plugins/io.containerd.grpc.v1.cri/containerd/runtimes/runc"
    keys = ("base_runtime_spec", "container_annotations", "pod_annotations")
    assert changed == {f"{runc}/{key}" for key in keys}
    assert after[f"{runc}/options/SystemdCgroup"] is True


def test_the_kubelet_calls_through_the_shim_and_no_call_failed(installed: Node) -> None:
    installed.machine.wait_for("calls of the kubelet", lambda: installed.kubelet().calls > 10)

    said = installed.kubelet()

    assert said.endpoint == SHIM
    assert said.failed == 0, said


def test_the_doctor_finds_nothing_to_do_but_what_the_machine_lacks(installed: Node) -> None:
    said = json.loads(installed.ask("doctor", "--probe", "-o", "json"))

    found = {one["check"]: one for one in said}
    not_ok = {name: one for name, one in found.items() if one["result"] != "ok"}
    # No network, so nobody sets the clock; Linux 6.12 has no ids of most namespaces.
    assert set(not_ok) == {"namespace-ids", "clock"}, not_ok
    assert {one["result"] for one in not_ok.values()} == {"warning"}


def test_limits_privileges_and_mounts_inside_containers_are_what_they_were(installed: Node) -> None:
    assert installed.limits(SHIM) == installed.limits_before


def test_the_daemon_has_two_capabilities_and_a_system_call_filter(installed: Node) -> None:
    text = installed.machine.run("cat", f"/proc/{installed.daemon_pid()}/status")
    status = dict(re.findall(r"(?m)^(\w+):\s+(.*)$", text))

    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[kind], 16) == _CAP_CHOWN_AND_SYS_PTRACE
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == _SECCOMP_FILTER


def test_the_daemon_sees_the_host_but_can_write_its_own_places_only(installed: Node) -> None:
    pid = installed.daemon_pid()
    inside = ("nsenter", f"--mount=/proc/{pid}/ns/mnt", "--")

    def can_write(directory: str) -> bool:
        path = f"{directory}/probe-of-the-test"
        made = installed.machine.attempt(*inside, "sh", "-c", f"touch {path} && rm {path}")
        return made.code == 0

    writable = ("/var/lib/nsledger", "/run/nsledger", "/run/nsledger/spool", "/tmp")
    assert [place for place in writable if not can_write(place)] == []
    closed = ("/etc", "/usr", "/var/lib", "/var/lib/containerd", "/run", "/root", "/sys/fs/cgroup")
    assert [place for place in closed if can_write(place)] == []
    types = ("net", "uts", "ipc", "pid", "user", "cgroup", "time", "mnt")
    links = {
        type_: {
            installed.machine.run("readlink", f"/proc/{process}/ns/{type_}") for process in (1, pid)
        }
        for type_ in types
    }
    # All but the mounts are the host's: they stand for it where /proc/1 cannot be read.
    assert [type_ for type_, found in links.items() if len(found) > 1] == ["mnt"]


def test_a_thread_of_the_daemon_may_give_way_to_the_others(installed: Node) -> None:
    # Threads come and go: of one that has gone meanwhile there is nothing to read.
    every = f"cat /proc/{installed.daemon_pid()}/task/*/stat"
    stats = installed.machine.attempt("sh", "-c", every).stdout

    # Field 19 of proc_pid_stat(5), counted behind the name.
    nice = [int(line.rpartition(")")[2].split()[16]) for line in stats.splitlines()]

    # Segments are compressed at a low priority: the system call filter has to let it be asked for.
    assert max(nice) > 0
    assert min(nice) == 0


def test_systemds_figure_is_the_one_that_is_published(installed: Node) -> None:
    said = installed.machine.run("systemd-analyze", "security", "--no-pager", "nsledger.service")

    figure = re.search(r"Overall exposure level for nsledger.service: ([\d.]+)", said)

    assert figure is not None
    assert f"says {figure[1]} of `nsledger.service`" in _UNITS_README.read_text()


def test_the_daemon_complains_of_nothing(installed: Node) -> None:
    text = installed.machine.run("journalctl", "--unit=nsledger.service", "--output=cat")

    said = [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    assert said
    assert [line for line in said if line["level"] not in ("debug", "info")] == []
