"""What Kubernetes promises of each namespace, as seen from inside, and that the ledger agrees.

One test for each row of the table in docs/beliefs.md. Each runs on both containerd generations,
under runc and under crun.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.pods import USER_MAPPING
from nsledger.model.namespaces import NamespaceType
from tests.node.beliefs import belief
from tests.node.conftest import AuditedNode
from tests.node.effects import (
    DAYS_AWAKE,
    World,
    answering,
    compiled,
    effects_node,
)

pytestmark = pytest.mark.gcc

KEY = "0x6e736c31"
APP, SIDECAR, STRANGER = ("plain", "app"), ("plain", "sidecar"), ("other", "app")
ON_HOST = ("host", "app")

NODES = [
    pytest.param((1, "runc"), marks=pytest.mark.containerd1, id="containerd1-runc"),
    pytest.param(
        (1, "crun"), marks=[pytest.mark.containerd1, pytest.mark.crun], id="containerd1-crun"
    ),
    pytest.param((2, "runc"), marks=pytest.mark.containerd2, id="containerd2-runc"),
    pytest.param((2, "crun"), marks=pytest.mark.containerd2, id="containerd2-crun"),
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[int, AuditedNode]]:
    """By generation, each started when it is first needed."""
    with ExitStack() as stack:

        class Nodes(dict[int, AuditedNode]):
            def __missing__(self, generation: int) -> AuditedNode:
                self[generation] = stack.enter_context(effects_node(generation))
                return self[generation]

        yield Nodes()


@pytest.fixture(scope="module", params=NODES)
def world(request: pytest.FixtureRequest, nodes: dict[int, AuditedNode]) -> Iterator[World]:
    generation, handler = request.param
    node = nodes[generation]
    volume = node.node.directory / f"volume-{handler}"
    volume.mkdir()
    volume.chmod(0o777)
    program = node.node.directory / "effects"
    made = World(
        node, handler, program if program.exists() else compiled(node.node.directory), volume
    )
    yield made
    made.close()


@belief(
    "ipc",
    "Containers are isolated; IPC ends at the container.",
    "No: shared memory, semaphores, message queues (System V) and POSIX queues that one container "
    "makes are its siblings' too, and no other pod's.",
)
def test_ipc_objects_are_the_pods(world: World) -> None:
    world.run(*APP, "/probe", "make", KEY, "hello")

    everything = "shm=hello sem=7 msg=1 mq=1"
    assert world.run(*APP, "/probe", "find", KEY) == everything
    assert world.run(*SIDECAR, "/probe", "find", KEY) == everything
    assert world.run(*STRANGER, "/probe", "find", KEY) == "shm=- sem=- msg=- mq=-"
    assert world.same(APP, SIDECAR, NamespaceType.IPC)
    assert not world.same(APP, STRANGER, NamespaceType.IPC)
    assert world.sharing(*APP, NamespaceType.IPC) == "pod"


@belief(
    "ipc",
    "`hostIPC` gives access to some of the host's IPC.",
    "To all of it: what the container makes, the host finds under the same key.",
)
def test_host_ipc_is_the_hosts(world: World) -> None:
    subprocess.run([str(world.probe), "forget", KEY], check=True)
    try:
        world.run(*ON_HOST, "/probe", "make", KEY, "from-the-pod")
        found = subprocess.run([str(world.probe), "find", KEY], check=True, capture_output=True)
    finally:
        subprocess.run([str(world.probe), "forget", KEY], check=True)

    assert found.stdout.startswith(b"shm=from-the-pod sem=7 msg=1")
    assert world.sharing(*ON_HOST, NamespaceType.IPC) == "host"


@belief(
    "net",
    "Each container has its own localhost.",
    "One per pod: a sibling reaches it, another pod does not; the pod's address reaches over the "
    "bridge.",
)
def test_localhost_is_the_pods_and_its_address_is_everybodys(world: World) -> None:
    world.container(*APP)
    address = world.address("plain")
    world.run(*APP, "/probe", "say", "127.0.0.1", "8080", "to-my-pod")
    world.run(*APP, "/probe", "say", address, "8081", "to-everybody")

    assert world.run(*SIDECAR, "/probe", "hear", "127.0.0.1", "8080") == "to-my-pod"
    assert world.fails(*STRANGER, "/probe", "hear", "127.0.0.1", "8080")
    assert world.run(*STRANGER, "/probe", "hear", address, "8081") == "to-everybody"
    assert world.fails(*STRANGER, "/probe", "hear", address, "8080")
    assert world.same(APP, SIDECAR, NamespaceType.NET)
    assert not world.same(APP, STRANGER, NamespaceType.NET)


@belief(
    "net",
    "`hostNetwork` only means the host's address.",
    "It reaches what listens on the host's own localhost.",
)
def test_host_network_reaches_the_hosts_localhost(world: World) -> None:
    with answering(b"from-the-host") as port:
        assert world.run(*ON_HOST, "/probe", "hear", "127.0.0.1", str(port)) == "from-the-host"
        assert world.fails(*APP, "/probe", "hear", "127.0.0.1", str(port))

    assert world.sharing(*ON_HOST, NamespaceType.NET) == "host"


@belief(
    "uts",
    "Each container has a host name, as with Docker.",
    "One per pod; with `hostNetwork` the host's, though nobody asked for that.",
)
def test_a_pod_has_one_hostname(world: World) -> None:
    name = f"plain-{world.handler}"

    assert world.run(*APP, "hostname") == world.run(*SIDECAR, "hostname") == name
    assert world.run(*STRANGER, "hostname") == f"other-{world.handler}"
    assert world.run(*ON_HOST, "hostname") == os.uname().nodename
    assert world.same(APP, SIDECAR, NamespaceType.UTS)
    assert world.sharing(*ON_HOST, NamespaceType.UTS) == "host"


@belief(
    "pid",
    "Containers of a pod see each other's processes.",
    "They do not: each has a namespace of its own.",
)
def test_containers_do_not_see_each_others_processes(world: World) -> None:
    world.container(*SIDECAR)

    seen = world.processes(*APP)

    assert "plain-app" in seen
    assert "plain-sidecar" not in seen
    assert not world.same(APP, SIDECAR, NamespaceType.PID)
    assert world.sharing(*APP, NamespaceType.PID) == "private"


@belief(
    "pid",
    "`shareProcessNamespace` is a matter of signals.",
    "The sibling is in /proc, command line and all.",
)
def test_share_process_namespace_shows_the_sibling(world: World) -> None:
    world.container("shared", "sidecar")

    assert "shared-sidecar" in world.processes("shared", "app")
    assert world.sharing("shared", "app", NamespaceType.PID) == "pod"


@belief(
    "pid",
    "An ephemeral container sees the pod.",
    "It sees its target (`TARGET`), and no other container.",
)
def test_an_ephemeral_container_sees_its_target_and_no_other(world: World) -> None:
    world.container(*SIDECAR)
    target = {"pid": "TARGET", "target_id": world.container(*APP)}
    world.container("plain", "debug", namespace_options=target)

    seen = world.processes("plain", "debug")

    assert "plain-app" in seen
    assert "plain-sidecar" not in seen
    assert world.same(("plain", "debug"), APP, NamespaceType.PID)
    assert world.sharing("plain", "debug", NamespaceType.PID) == "container:app"


@belief(
    "pid",
    "`hostPID` shows the host's containers.",
    "Every process of the host, with its command line.",
)
def test_host_pid_shows_the_hosts_processes(world: World) -> None:
    ours = Path("/proc/self/cmdline").read_text().replace("\0", " ")

    shown = world.run(*ON_HOST, "sh", "-c", f"tr '\\0' ' ' </proc/{os.getpid()}/cmdline")

    assert shown == ours.strip()
    assert world.sharing(*ON_HOST, NamespaceType.PID) == "host"


@belief(
    "mnt",
    "A shared volume means a shared mount namespace.",
    "Files are shared, the namespace never is: what is not on the volume stays private.",
)
def test_a_volume_shares_files_and_not_the_mount_namespace(world: World) -> None:
    world.run(*APP, "sh", "-c", "echo shared >/volume/file; echo own >/tmp/file")

    assert world.run(*SIDECAR, "cat", "/volume/file") == "shared"
    assert world.fails(*SIDECAR, "cat", "/tmp/file")
    assert not world.same(APP, SIDECAR, NamespaceType.MNT)
    assert world.sharing(*APP, NamespaceType.MNT) == "private"


@belief(
    "user",
    "Root in a container is not root outside.",
    "It is (uid 0), unless the pod has `hostUsers: false`: then its containers share one user "
    "namespace, and their root is uid 131072.",
    first="no user namespaces: uid 0",
)
def test_root_is_the_hosts_root_unless_the_pod_has_a_user_namespace(world: World) -> None:
    assert world.run(*APP, "id", "-u") == "0"
    assert world.process(*APP).stat().st_uid == 0
    assert world.sharing(*APP, NamespaceType.USER) == "host"
    if world.node.generation == 1:
        return  # containerd 1.6 has none to give
    for name in ("app", "sidecar"):
        assert world.run("user", name, "id", "-u") == "0"
        assert world.process("user", name).stat().st_uid == USER_MAPPING["host_id"]
        assert world.sharing("user", name, NamespaceType.USER) == "pod"
    assert world.same(("user", "app"), ("user", "sidecar"), NamespaceType.USER)


@belief(
    "cgroup",
    "A container cannot see where in the cgroup tree it is.",
    "On cgroup v1 it reads its whole path in /proc/self/cgroup; only a cgroup namespace, which the "
    "spec must ask for, hides it.",
)
def test_a_private_cgroup_namespace_hides_where_it_is(world: World) -> None:
    expected = "host" if world.sharing(*APP, NamespaceType.CGROUP) == "host" else "private"

    at_home = world.run(*APP, "cat", "/proc/self/cgroup")
    apart = world.run("apart", "app", "cat", "/proc/self/cgroup")

    assert (world.node.node.name in at_home) is (expected == "host")
    assert world.node.node.name not in apart
    assert world.sharing("apart", "app", NamespaceType.CGROUP) == "private"


@belief(
    "time",
    "A container may have a clock of its own.",
    "It has the host's, unless the base spec adds a time namespace; then its uptime differs.",
    first="the host's; runc 1.1 makes none",
)
def test_the_time_is_the_hosts_unless_the_spec_says_otherwise(world: World) -> None:
    def days_awake(pod: str) -> float:
        return float(world.run(pod, "app", "cat", "/proc/uptime").split()[0]) / 86400

    with open("/proc/uptime", encoding="ascii") as uptime:
        hosts = float(uptime.read().split()[0]) / 86400

    assert days_awake("plain") == pytest.approx(hosts, abs=0.1)
    assert world.sharing(*APP, NamespaceType.TIME) == "host"
    if world.node.generation == 1:
        return  # runc 1.1 knows no time namespaces
    assert days_awake("apart") == pytest.approx(hosts + DAYS_AWAKE, abs=0.1)
    assert world.sharing("apart", "app", NamespaceType.TIME) == "private"


def test_a_conforming_runtime_never_mismatches(world: World) -> None:
    """After all the others: these pods are every kind that the table tells of."""
    for where in (APP, SIDECAR, STRANGER, ON_HOST, ("shared", "app"), ("apart", "app")):
        world.container(*where)

    assert world.node.mismatches() == []
