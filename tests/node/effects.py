"""Pods in which the effect of each namespace can be seen, and what the ledger says of them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import tomlkit

from demo.configuration import RUNC, Handler
from demo.cri import Client
from demo.hook import install_hook
from demo.node import PrivateNode
from demo.pods import CommandFailedError, Pod, RunningPod
from demo.shim import Shim
from nsledger.model.events import ContainerStarted
from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from tests.node.conftest import CRUN, AuditedNode, installation

DAYS_AWAKE: Final = 1000
"""By how much the clock since boot is moved in a time namespace."""
PODS: Final = {
    "plain": Pod(name="plain", containers=()),
    "other": Pod(name="other", containers=()),
    "shared": Pod(name="shared", containers=(), share_process_namespace=True),
    "host": Pod(name="host", containers=(), host_network=True, host_pid=True, host_ipc=True),
    "user": Pod(name="user", containers=(), host_users=False),
    "apart": Pod(name="apart", containers=()),
}


@dataclass
class World:
    """One generation and one OCI runtime: its pods are made when they are first asked for."""

    node: AuditedNode
    handler: str
    probe: Path
    """The program of probe.c."""
    volume: Path
    pods: dict[str, RunningPod] = field(default_factory=dict[str, RunningPod])

    def container(self, pod: str, name: str, **config: Any) -> str:  # noqa: ANN401 - fields of a message
        """The id of a running container; its command line holds `POD-NAME`."""
        kubelet = self.node.kubelet
        running = self.pods.get(pod)
        if running is None:
            # A handler of its own only where the pod is to be different.
            handler = "apart" if pod == "apart" else self.handler
            asked = PODS[pod]
            made = replace(asked, name=f"{pod}-{self.handler}", runtime_handler=handler)
            running = self.pods[pod] = kubelet.run(made)
        if name not in running.containers:
            mounts = [
                {"container_path": "/probe", "host_path": str(self.probe), "readonly": True},
                {"container_path": "/volume", "host_path": str(self.volume)},
            ]
            kubelet.start(running, name, args=[f"{pod}-{name}"], mounts=mounts, **config)
        return running.containers[name]

    def run(self, pod: str, name: str, *command: str) -> str:
        """What a command prints in a container."""
        return self.node.kubelet.run_inside(self.container(pod, name), *command).strip()

    def fails(self, pod: str, name: str, *command: str) -> bool:
        """Whether a command exits with an error in a container."""
        try:
            self.run(pod, name, *command)
        except CommandFailedError:
            return True
        return False

    def processes(self, pod: str, name: str) -> str:
        """The command lines that /proc shows in a container."""
        return self.run(pod, name, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")

    def address(self, pod: str) -> str:
        """The pod's IP address."""
        pod_sandbox_id = self.pods[pod].pod_sandbox_id
        return str(
            self.node.kubelet.client.call(
                "PodSandboxStatus", pod_sandbox_id=pod_sandbox_id
            ).status.network.ip
        )

    def process(self, pod: str, name: str) -> Path:
        """/proc of a container's process, as the host sees it."""
        info = self.node.kubelet.container_info(self.container(pod, name))
        return Path(f"/proc/{info['pid']}")

    def sharing(self, pod: str, name: str, type_: NamespaceType) -> str:
        """What the ledger says of whose namespace a container is in."""
        started = self.node.event(ContainerStarted, self.container(pod, name))
        return started.judgements[type_].sharing

    def same(self, one: tuple[str, str], other: tuple[str, str], type_: NamespaceType) -> bool:
        """Whether two containers are in one namespace, by the ledger."""
        return self._identity(*one, type_).same_as(self._identity(*other, type_))

    def close(self) -> None:
        """Remove the pods."""
        for running in self.pods.values():
            self.node.kubelet.remove(running)

    def _identity(self, pod: str, name: str, type_: NamespaceType) -> NamespaceIdentity:
        started = self.node.event(ContainerStarted, self.container(pod, name))
        assert started.actual is not None
        return started.actual.namespaces[type_]


@contextlib.contextmanager
def effects_node(generation: int) -> Iterator[AuditedNode]:
    """An audited node with one more handler, `apart`: its spec adds namespaces."""
    apart = Handler("apart")
    with PrivateNode(installation(generation), handlers=(RUNC, CRUN, apart)) as node:
        shim = Shim(node)
        node.start(install_hook(node, spool=shim.paths.spool))
        _give_own_spec(node, apart.name, with_time=generation > 1)
        node.stop_containerd()
        node.start_containerd()
        with shim, Client(shim.paths.socket) as client:
            client.call("Version")
            yield AuditedNode(node, shim, node.kubelet(client), generation)


def _give_own_spec(node: PrivateNode, handler: str, *, with_time: bool) -> None:
    """A base spec of its own for one handler, beside the one that nsledger made.

    Time namespaces came with runc 1.2, and crun 1.8 fails to make one.
    """
    spec = json.loads(node.base_runtime_spec.read_bytes())
    spec["linux"]["namespaces"].append({"type": "cgroup"})
    if with_time:
        spec["linux"]["namespaces"].append({"type": "time"})
        spec["linux"]["timeOffsets"] = {"boottime": {"secs": DAYS_AWAKE * 86400, "nanosecs": 0}}
    path = node.directory / f"{handler}-spec.json"
    path.write_text(json.dumps(spec))
    for changed in node.changed:
        text = changed.read_text()
        document: Any = tomlkit.parse(text)
        for plugin in document.get("plugins", {}).values():
            runtimes = plugin.get("containerd", {}).get("runtimes", {})
            if "base_runtime_spec" in runtimes.get(handler, {}):
                runtimes[handler]["base_runtime_spec"] = str(path)
        changed.write_text(tomlkit.dumps(document))


def compiled(directory: Path) -> Path:
    """The program of probe.c, static: it runs in a container that has no library."""
    program = directory / "effects"
    source = Path(__file__).with_name("probe.c")
    subprocess.run(["gcc", "-static", "-O1", "-o", str(program), str(source)], check=True)
    return program


@contextlib.contextmanager
def answering(text: bytes) -> Iterator[int]:
    """A port on this host's loopback address that says `text` to every caller."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    caller, _ = server.accept()
                    with caller:
                        caller.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()
