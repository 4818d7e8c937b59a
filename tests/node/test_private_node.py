"""A private node leaves nothing behind, however its owner ends, and touches nothing of the machine.

Without this, `make demo` is not something to run on a machine that one needs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.cri import Client
from demo.installation import Installation, NotInstalledError
from demo.node import NodeFailedError, PrivateNode
from demo.pods import Pod
from tests.node.conftest import GENERATIONS, HookedNode, Run, installation

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
ELSEWHERE = ("/run/containerd", "/run/netns", "/run/nri", "/var/lib/cni", "/opt/containerd")
"""Where containerd, NRI and CNI write whatever the configuration says."""


def traces(name: str) -> list[str]:
    """What is left on the machine of the node called `name`."""
    found = [str(path) for path in (Path("/var/tmp", name), Path("/sys/class/net", name))]
    cgroups = [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    left = [path for path in found if os.path.lexists(path)] + [str(path) for path in cgroups]
    for process in filter(str.isdecimal, os.listdir("/proc")):
        for file in ("cmdline", "cgroup", "mountinfo"):
            try:
                text = Path("/proc", process, file).read_text(errors="replace")
            except OSError:
                continue
            if name in text and int(process) != os.getpid():
                left.append(f"process {process}: {text[:200]}")
                break
    return left


def elsewhere() -> list[str]:
    """What is in the places that a containerd writes to past its configuration."""
    return sorted(
        str(path)
        for place in ELSEWHERE
        for path in (Path(place), *Path(place).rglob("*"))
        if path.exists()
    )


def settings() -> dict[str, str]:
    """What a pod network may change on a host: links, addresses, routes, forwarding, rules."""
    commands = {
        "links": ["ip", "-brief", "link"],
        "addresses": ["ip", "-brief", "address"],
        "routes": ["ip", "route"],
        "forwarding": ["cat", "/proc/sys/net/ipv4/ip_forward"],
        "rules": ["cat", "/proc/net/ip_tables_names"],
    }
    return {
        name: subprocess.run(command, check=False, capture_output=True, text=True).stdout
        for name, command in commands.items()
    }


def other_nodes(text: str) -> str:
    """`text` without the lines of private nodes that other tests run meanwhile."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if "nsl-" not in line and "veth" not in line)


def until_nothing_is_left(name: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while left := traces(name):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def owner(generation: int, ending: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("hold_a_node.py"), str(generation), ending],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/shim"},
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("ending", ["returns", "raises"])
def test_nothing_is_left_when_its_owner_ends(generation: int, ending: str) -> None:
    before, settings_before = elsewhere(), settings()

    with owner(generation, ending) as process:
        name = line_of(process)
        _, stderr = process.communicate(timeout=LIMIT_S)

    assert (process.returncode == 0) == (ending == "returns"), stderr
    assert traces(name) == []
    assert elsewhere() == before
    assert {key: other_nodes(text) for key, text in settings().items()} == {
        key: other_nodes(text) for key, text in settings_before.items()
    }


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_its_owner_is_killed(generation: int, number: int) -> None:
    with owner(generation, "is killed") as process:
        name = line_of(process)
        assert line_of(process) == "ready"
        assert traces(name) != []

        process.send_signal(number)

        process.communicate(timeout=LIMIT_S)
    until_nothing_is_left(name)


@pytest.mark.parametrize(
    ("number", "after_s"),
    [(signal.SIGTERM, 0.0), (signal.SIGTERM, 0.3), (signal.SIGINT, 0.1), (signal.SIGINT, 0.5)],
)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_nothing_is_left_of_a_node_that_was_still_starting(
    generation: int, number: int, after_s: float
) -> None:
    with owner(generation, "is killed") as process:
        name = line_of(process)
        time.sleep(after_s)

        process.send_signal(number)

        process.communicate(timeout=LIMIT_S)
    until_nothing_is_left(name)


def test_two_nodes_live_side_by_side(node: HookedNode, run: Run) -> None:
    mine = run(Pod(name="mine"))
    with PrivateNode(installation(node.generation)) as other:
        other.start(hook=None)
        with Client(other.socket) as client:
            kubelet = other.kubelet(client)
            theirs = kubelet.run(Pod(name="theirs"))

            listed = [item.id for item in client.call("ListPodSandbox").items]

            assert listed == [theirs.pod_sandbox_id]
    pid = node.kubelet.container_info(mine.containers["app"])["pid"]
    assert Path(f"/proc/{pid}").exists()
    assert mine.pod_sandbox_id in [
        item.id for item in node.kubelet.client.call("ListPodSandbox").items
    ]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_pods_go_on_while_containerd_is_restarted(generation: int) -> None:
    with PrivateNode(installation(generation)) as node:
        node.start(hook=None)
        with Client(node.socket) as client:
            pod = node.kubelet(client).run(Pod(name="stays"))
            pid = node.kubelet(client).container_info(pod.containers["app"])["pid"]

        node.stop_containerd()
        assert Path(f"/proc/{pid}").exists()
        node.start_containerd()

        with Client(node.socket) as client:
            assert node.kubelet(client).container_info(pod.containers["app"])["pid"] == pid
            node.kubelet(client).remove(pod)
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.containerd1
def test_a_containerd_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    broken = tmp_path / "containerd"
    broken.write_text("#!/bin/sh\n[ $1 = config ] && exec containerd $*\necho no disk; exit 1\n")
    broken.chmod(0o755)
    found = Installation.of_this_machine(str(broken))

    with (
        pytest.raises(NodeFailedError, match=r"containerd's socket:\nno disk"),
        PrivateNode(found) as node,
    ):
        node.start(hook=None)

    assert traces(node.name) == []


def test_what_is_not_installed_is_told_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError) as caught:
        Installation.of_this_machine(str(tmp_path / "containerd"))

    assert "apt-get install containerd" in caught.value.hint


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal: SigCgt of /proc/<pid>/status."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = [line.split()[1] for line in status if line.startswith("SigCgt:")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_container_ends_by_itself_when_it_is_asked_to(node: HookedNode, run: Run) -> None:
    container_id = run(Pod(name="polite")).containers["app"]
    client = node.kubelet.client
    pid = node.kubelet.container_info(container_id)["pid"]
    while not catches(pid, signal.SIGTERM):  # its shell has just begun
        time.sleep(0.01)

    client.call("StopContainer", container_id=container_id, timeout=20)

    # Not 137: it did not take the SIGKILL at the end of its grace period.
    assert client.call("ContainerStatus", container_id=container_id).status.exit_code == 0
