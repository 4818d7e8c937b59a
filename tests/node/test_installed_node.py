"""An installation on real nodes of both generations: pods run, and nothing else is different."""

from __future__ import annotations

import functools
import re
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomlkit

from demo.configuration import RUNC
from demo.cri import Client
from demo.node import PrivateNode
from demo.pods import Kubelet, Pod
from demo.shim import Shim
from nsledger.model.events import ContainerWitnessed
from nsledger.model.record import Record
from nsledger.node import manifest as manifests
from nsledger.node import removal
from nsledger.node.apply import apply
from nsledger.node.changes import Part
from nsledger.node.containerd import Configuration
from nsledger.node.effective_change import flat
from nsledger.node.hook_files import SPOOL
from nsledger.node.planning import plan
from nsledger.node.proof import NodeProof, NodeRelease, require_records_of_a_pod
from nsledger.node.settings import ENDPOINT
from nsledger.node.survey import survey
from tests.node.conftest import CRUN, GENERATIONS, installation, subject

OLDER = "io.containerd.grpc.v1.cri"
NEWER = "io.containerd.cri.v1.runtime"
RUNBOOK = Path(__file__).parents[2] / "docs/runbook.md"
KUBELET_UNIT = "[Service]\nExecStart=/usr/bin/kubelet --config=/etc/kubelet.yaml\n"


@dataclass(frozen=True, slots=True)
class Node:
    """A private node whose /etc is its own too."""

    node: PrivateNode
    handlers: tuple[str, ...]

    def files(self) -> dict[str, bytes]:
        """containerd's and the kubelet's configuration."""
        host = self.node.host
        paths = [str(self.node.configuration), "/etc/kubelet.yaml"]
        paths += host.glob(f"{self.node.directory}/conf.d/*")
        return {path: host.read(path) or b"" for path in paths}

    def effective(self) -> dict[str, object]:
        return dict(flat(tomllib.loads(self.node.effective_configuration())))

    def install(self) -> None:
        node = self.node
        told = (node.installation.containerd, str(node.configuration))
        found = survey(node.host, containerd=told[0], configuration=told[1], endpoint=ENDPOINT)
        apply(
            node.host,
            plan(node.host, found, program="/usr/bin/nsledger", parts=frozenset(Part)),
            version="1",
            proof=NodeProof(node.host, found, probe=False, say=lambda _: None),
            say=lambda _: None,
        )
        self.restart()

    def uninstall(self) -> None:
        kept = manifests.load(self.node.host)
        assert kept is not None
        taken = removal.prepared(self.node.host, kept)
        release = NodeRelease(self.node.host, taken, say=lambda _: None)
        assert removal.remove(self.node.host, taken, release=release, say=lambda _: None)
        self.restart()

    def restart(self) -> None:
        self.node.stop_containerd()
        self.node.start_containerd()

    def inside(self, kubelet: Kubelet, handler: str) -> list[str]:
        """What a container sees of its own limits and privileges."""
        pod = kubelet.run(Pod(name=f"limits-{handler}", runtime_handler=handler))
        files = ("/proc/self/limits", "/proc/self/status", "/proc/self/mountinfo")
        text = kubelet.run_inside(pod.containers["app"], "cat", *files)
        kubelet.remove(pod)
        kept = ("Max", "Cap", "Seccomp", "NoNewPrivs", "Uid", "Gid", "Groups")
        mounts = [line.split()[4] for line in text.splitlines() if " - " in line]
        return [line for line in text.splitlines() if line.startswith(kept)] + mounts


@pytest.fixture(params=GENERATIONS)
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node that takes pods and knows nothing of nsledger."""
    # crun 1.8.1 refuses the specs of containerd 2.
    handlers = (RUNC, CRUN) if request.param == 1 else (RUNC,)
    with PrivateNode(installation(request.param), handlers=handlers) as private:
        etc = private.directory / "etc"
        spool = private.directory / "spool"
        spool.mkdir(mode=0o700)
        private.run("cp", "-a", "/etc", str(etc))
        private.run("mount", "--bind", str(etc), "/etc")
        private.run("mkdir", "-p", SPOOL)
        private.run("mount", "--bind", str(spool), SPOOL)
        (etc / "systemd/system").mkdir(parents=True, exist_ok=True)
        (etc / "systemd/system/kubelet.service").write_text(KUBELET_UNIT)
        (etc / "kubelet.yaml").write_text("kind: KubeletConfiguration\n")
        private.start(hook=None)
        yield Node(private, tuple(handler.name for handler in handlers))


def witnessed(container_id: str, records: list[Record]) -> bool:
    return any(
        isinstance(record.event, ContainerWitnessed) and subject(record.event) == container_id
        for record in records
    )


def test_a_node_is_installed_audited_and_what_it_was_again(node: Node) -> None:
    files, effective = node.files(), node.effective()
    with Client(node.node.socket) as client:
        limits = {
            handler: node.inside(node.node.kubelet(client), handler) for handler in node.handlers
        }

    node.install()

    installed = node.effective()
    changed = {
        path
        for path in effective.keys() | installed.keys()
        if effective.get(path) != installed.get(path) and path != "/imports"
    }
    assert {path.rpartition("/runtimes/")[2] for path in changed} == {
        f"{handler}/{key}"
        for handler in node.handlers
        for key in ("base_runtime_spec", "pod_annotations", "container_annotations")
    }
    assert ENDPOINT.encode() in node.files()["/etc/kubelet.yaml"]

    shim = Shim(node.node)
    with shim, Client(shim.paths.socket) as client:
        kubelet = node.node.kubelet(client)
        assert {handler: node.inside(kubelet, handler) for handler in node.handlers} == limits
        for handler in node.handlers:
            pod = kubelet.run(Pod(name=f"seen-{handler}", runtime_handler=handler))
            container_id = pod.containers["app"]
            shim.wait_for("the hook's record", functools.partial(witnessed, container_id))
            kubelet.remove(pod)

    node.uninstall()

    assert node.files() == files
    assert node.effective() == effective
    with Client(node.node.socket) as client:
        kubelet = node.node.kubelet(client)
        assert {handler: node.inside(kubelet, handler) for handler in node.handlers} == limits
    for left in ("/etc/nsledger", "/var/lib/nsledger"):
        assert not node.node.host.exists(left)


def test_the_throw_away_pod_of_an_installation_finds_both_witnesses(node: Node) -> None:
    node.install()
    configuration = Configuration.parse(node.node.effective_configuration())
    shim = Shim(node.node)
    with shim:
        require_records_of_a_pod(
            configuration, socket=shim.paths.socket, ledger=str(shim.paths.ledger)
        )

    with Client(node.node.socket) as client:
        assert list(client.call("ListPodSandbox").items) == []


def test_after_another_tool_copied_our_spec_pods_start_when_we_are_gone(node: Node) -> None:
    node.install()
    handler = Configuration.parse(node.node.effective_configuration()).handlers["runc"]
    section = NEWER if NEWER in node.node.effective_configuration() else OLDER
    copied = {"plugins": {section: {"containerd": {"runtimes": {"nvidia": handler.table}}}}}
    main = node.node.configuration
    main.write_text(f"{main.read_text()}\n{tomlkit.dumps(copied)}")
    node.restart()

    node.uninstall()

    assert "/etc/nsledger" not in node.node.effective_configuration()
    with Client(node.node.socket) as client:
        kubelet = node.node.kubelet(client)
        for name in (*node.handlers, "nvidia"):
            pod = kubelet.run(Pod(name=f"after-{name}", runtime_handler=name))
            assert kubelet.run_inside(pod.containers["app"], "echo", "runs") == "runs\n"
            kubelet.remove(pod)


def test_pods_that_ran_before_go_on_when_we_are_gone_and_can_be_removed(node: Node) -> None:
    node.install()
    with Client(node.node.socket) as client:
        pod = node.node.kubelet(client).run(Pod(name="before"))

    node.uninstall()

    with Client(node.node.socket) as client:
        kubelet = node.node.kubelet(client)
        assert kubelet.run_inside(pod.containers["app"], "echo", "runs") == "runs\n"
        kubelet.remove(pod)


def test_the_two_commands_of_the_runbook_bring_the_kubelet_back(node: Node, tmp_path: Path) -> None:
    # The kubelet's socket is gone, as after `systemctl stop nsledger`; the runtime's runs.
    told = tmp_path / "cri.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(told))
    (link,) = re.findall(
        r"^ln -sfn (\S+) /run/nsledger/cri.sock$", RUNBOOK.read_text(), re.MULTILINE
    )
    assert link == "/run/containerd/containerd.sock"

    subprocess.run(["ln", "-sfn", node.node.socket, told], check=True)

    with Client(str(told)) as client:
        assert client.call("Version").runtime_name == "containerd"
