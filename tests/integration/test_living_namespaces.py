"""What the kernel keeps and how it nests, with the names that a ledger has for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import (
    ContainerStarted,
    ContainerStopped,
    DaemonStarted,
    Event,
    LedgerCreated,
    Source,
)
from nsledger.model.namespaces import NamespaceReading, NamespaceType
from nsledger.model.record import encode
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc import host as node
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import NodeClock
from tests import programs
from tests.integration.hook_runs import child_of, process

pytestmark = pytest.mark.root

POD = PodRef(pod_sandbox_id="5a" * 32, k8s_namespace="default", name="web")
APP = ContainerRef(container_id="c0" * 32, name="app")


@dataclass(frozen=True)
class Node:
    """This node, with a ledger about one container of it."""

    ledger: Path

    def say(self, event: Event) -> None:
        writer = LedgerWriter.open(str(self.ledger))
        writer.append([encode(event, NodeClock(node.boot_id()).now())])
        writer.close()

    def start(self, actual: NamespaceReading) -> None:
        self.say(ContainerStarted(source=Source.CRI_PROXY, pod=POD, container=APP, actual=actual))

    def stop(self) -> None:
        self.say(ContainerStopped(source=Source.CRI_PROXY, pod=POD, container=APP))

    def ask(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        code, out = programs.run([*arguments, "-o", "json"], programs.environment(self.ledger))
        assert code == 0
        return json.loads(out)


@pytest.fixture
def this(tmp_path: Path) -> Node:
    this = Node(tmp_path / "ledger")
    this.say(LedgerCreated(source=Source.DAEMON, ledger_id="0" * 32))
    host = read_namespaces(os.getpid())
    this.say(
        DaemonStarted(
            source=Source.DAEMON, version="0", pid=1, host=host, host_reference="/proc/self/ns"
        )
    )
    return this


@pytest.fixture
def mount_point(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cni-leaked"
    path.write_bytes(b"")
    yield path
    subprocess.run(["umount", path], check=False)


def test_a_leaked_namespace_is_listed_with_its_last_owner(this: Node, mount_point: Path) -> None:
    with process("unshare", f"--net={mount_point}", "--fork", "sleep", "60") as parent:
        child = child_of(parent)
        this.start(read_namespaces(child))
        ino = os.stat(f"/proc/{child}/ns/net").st_ino
        alive = [one["identity"]["ino"] for one in this.ask("orphans")["orphans"]]
        os.kill(child, signal.SIGKILL)
    this.stop()

    (found,) = [one for one in this.ask("orphans")["orphans"] if one["identity"]["ino"] == ino]

    assert ino not in alive
    assert found["type"] == "net"
    assert found["held_by"] == [str(mount_point)]
    assert found["last_owner"]["owner"]["pod"]["name"] == "web"
    assert 0 <= found["orphaned_s"] < 60
    assert mount_point.stat().st_ino == ino  # nothing is deleted


def test_a_leaked_namespace_of_nobody_on_record_is_given_to_nobody(
    this: Node, mount_point: Path
) -> None:
    subprocess.run(["unshare", f"--net={mount_point}", "true"], check=True)

    orphans = this.ask("orphans")["orphans"]

    (found,) = [one for one in orphans if str(mount_point) in one["held_by"]]
    assert (found["last_owner"], found["orphaned_s"]) == (None, None)


def test_a_path_is_answered_by_what_is_mounted_there_now(this: Node, mount_point: Path) -> None:
    with process("unshare", f"--net={mount_point}", "--fork", "sleep", "60") as parent:
        child = child_of(parent)
        this.start(read_namespaces(child))

        found = this.ask("whois", str(mount_point), "--live")
        os.kill(child, signal.SIGKILL)

    assert found["outcome"] == "one_pod"
    assert [one["type"] for one in found["intervals"]] == ["net"]
    assert found["live"] == ["there"]


def test_a_process_that_is_gone_is_told_live(this: Node) -> None:
    with process("unshare", "--net", "--fork", "sleep", "60") as parent:
        child = child_of(parent)
        this.start(read_namespaces(child))
        os.kill(child, signal.SIGKILL)

    assert set(this.ask("whois", f"pid:{child}", "--live")["live"]) == {"gone"}


def test_the_tree_has_the_names_of_the_ledger_at_the_kernels_places(this: Node) -> None:
    with process("unshare", "--user", "--pid", "--fork", "sleep", "60") as parent:
        child = child_of(parent)
        actual = read_namespaces(child)
        this.start(actual)

        tree = this.ask("tree")
        os.kill(child, signal.SIGKILL)

    host = read_namespaces(os.getpid()).namespaces
    for type_ in (NamespaceType.USER, NamespaceType.PID):
        (top,) = [one for one in tree[type_] if one["identity"]["ino"] == host[type_].ino]
        (branch,) = [one for one in top["branches"] if "default/web/app" in one["owners"]]
        assert top["is_host"]
        assert branch["identity"]["ino"] == actual.namespaces[type_].ino
    assert branch["identity"]["owner_ino"] == actual.namespaces[NamespaceType.USER].ino
