"""`nsledger snapshot` on real containerd: one look, no daemon, nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from demo.pods import Pod
from tests.node.conftest import HookedNode, Run
from tests.programs import COMMAND, SHIM

PODS = [
    Pod(name="plain", containers=("app", "sidecar")),
    Pod(name="host", host_network=True, host_pid=True),
]

INSIDE = """
mount --make-rprivate /
mount --rbind / "$1"
mount -t proc proc /proc
shift
exec "$@"
"""
"""What a privileged container with the node's root at $1 sees: a /proc of its own."""


ENV = {**os.environ, "PYTHONPATH": str(SHIM)}


def run_command(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=60, check=False)


def snapshot(
    node: HookedNode, *arguments: str, inside: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "snapshot", "--runtime", node.node.socket]
    if inside is not None:
        command = [*COMMAND, "snapshot", "--root", str(inside), "--runtime", node.node.socket]
        unshare = ["unshare", "--mount", "--pid", "--fork", "--uts"]
        command = [*unshare, "sh", "-ec", INSIDE, "sh", str(inside), *command]
    return run_command([*command, *arguments])


def cells(done: subprocess.CompletedProcess[str]) -> Mapping[str, Mapping[str, Any]]:
    """Process and type of what `show -o json` says, each with its sharing and its inode."""
    assert done.returncode == 0, done.stderr
    return {
        process["name"] or process["kind"]: {
            type_: (cell["sharing"], cell["actual"]["ino"])
            for type_, cell in process["namespaces"].items()
        }
        for process in json.loads(done.stdout)["processes"]
    }


@pytest.fixture
def pods(run: Run) -> None:
    for pod in PODS:
        run(pod)


@pytest.mark.root
@pytest.mark.usefixtures("pods")
def test_it_tells_what_the_kernel_says_and_leaves_nothing(node: HookedNode, tmp_path: Path) -> None:
    before = set(os.listdir("/dev/shm"))
    listed = snapshot(node, "pods", "-o", "name")
    seen = cells(snapshot(node, "show", "demo/host", "-o", "json"))
    page = snapshot(node, "-f", str(tmp_path / "node.html"))

    assert {"demo/plain", "demo/host"} <= set(listed.stdout.splitlines())
    assert seen["app"]["net"] == ("host", os.stat("/proc/self/ns/net").st_ino)
    assert page.returncode == 0
    assert "demo/plain" in (tmp_path / "node.html").read_text()
    assert not {name for name in set(os.listdir("/dev/shm")) - before if "nsledger" in name}


@pytest.mark.root
@pytest.mark.usefixtures("pods")
def test_it_shows_what_the_runtime_was_asked_and_says_how_long_it_looked(node: HookedNode) -> None:
    done = snapshot(node, "explain", "demo/plain", "net", "-o", "json")
    table = snapshot(node)

    assert "CRI network=POD" in done.stdout
    assert "containerd" in table.stderr
    assert "nothing is kept" in table.stderr
    assert "nsledger snapshot explain demo/" in table.stderr


@pytest.mark.root
@pytest.mark.usefixtures("pods")
def test_what_is_kept_is_a_ledger(node: HookedNode, tmp_path: Path) -> None:
    ledger = str(tmp_path / "seen")
    snapshot(node, "--ledger", ledger)

    listed = run_command([*COMMAND, "pods", "-o", "name", "--ledger", ledger])

    assert run_command([*COMMAND, "verify", "--ledger", ledger]).returncode == 0
    assert "demo/plain" in listed.stdout
    again = snapshot(node, "--ledger", ledger)
    assert (again.returncode, again.stdout) == (2, "")


@pytest.mark.root
@pytest.mark.usefixtures("pods")
def test_inside_a_container_the_node_is_looked_at_where_its_root_is_mounted(
    node: HookedNode, tmp_path: Path
) -> None:
    outside = cells(snapshot(node, "show", "demo/plain", "-o", "json"))
    mounts = Path("/proc/self/mountinfo").read_text()

    inside = cells(snapshot(node, "show", "demo/plain", "-o", "json", inside=tmp_path))

    assert inside == outside
    assert Path("/proc/self/mountinfo").read_text() == mounts


@pytest.mark.root
@pytest.mark.usefixtures("pods")
def test_in_another_pid_namespace_nothing_is_claimed_and_the_remedy_is_said(
    node: HookedNode,
) -> None:
    unshare = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    question = ["snapshot", "--runtime", node.node.socket, "pods", "-o", "json"]
    done = run_command([*unshare, *COMMAND, *question])

    assert (done.returncode, done.stdout) == (3, "")
    assert "--root /host" in done.stderr
