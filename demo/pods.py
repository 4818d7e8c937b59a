"""Pods as a kubelet asks a runtime for them, and what it asks about them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from demo.cri import Client

APP_IMAGE: Final = "docker.io/local/app:1"

USER_MAPPING: Final = {"host_id": 131072, "container_id": 0, "length": 65536}
"""The ids that a pod with `hostUsers: false` gets; the kubelet would pick a free range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What a pod spec says, as far as namespaces go."""

    name: str
    k8s_namespace: str = "demo"
    containers: tuple[str, ...] = ("app",)
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    host_users: bool = True
    privileged: bool = False
    """Of each container: it decides on the cgroup namespace, on cgroup v2."""
    runtime_handler: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def namespace_options(self) -> dict[str, Any]:
        """CRI's NamespaceOption, as the kubelet derives it (`pkg/kubelet/kuberuntime/util`)."""
        pid = "POD" if self.share_process_namespace else "CONTAINER"
        return {
            "network": "NODE" if self.host_network else "POD",
            "pid": "NODE" if self.host_pid else pid,
            "ipc": "NODE" if self.host_ipc else "POD",
            **({} if self.host_users else {"userns_options": _user_namespace()}),
        }


def _user_namespace() -> dict[str, Any]:
    return {"mode": "POD", "uids": [USER_MAPPING], "gids": [USER_MAPPING]}


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A pod that was started, by the runtime's ids."""

    pod: Pod
    pod_sandbox_id: str
    sandbox_config: Mapping[str, Any]
    containers: dict[str, str]
    """Container ids by name."""


class Kubelet:
    """The kubelet's part: it starts pods over CRI, asks about them, and takes them down."""

    def __init__(self, client: Client, *, cgroup_parent: str) -> None:
        self.client = client
        self._cgroup_parent = cgroup_parent

    def run(self, pod: Pod) -> RunningPod:
        """Start the sandbox, then each container."""
        config = self._sandbox_config(pod)
        sandbox = self.client.call(
            "RunPodSandbox", config=config, runtime_handler=pod.runtime_handler
        )
        running = RunningPod(pod, sandbox.pod_sandbox_id, config, {})
        for name in pod.containers:
            self.start(running, name)
        return running

    def start(self, running: RunningPod, name: str, **config: Any) -> str:  # noqa: ANN401 - fields of a message
        """Create and start one more container; `config` adds fields to its ContainerConfig."""
        options = {**running.pod.namespace_options, **config.pop("namespace_options", {})}
        context = {"namespace_options": options, "privileged": running.pod.privileged}
        created = self.client.call(
            "CreateContainer",
            pod_sandbox_id=running.pod_sandbox_id,
            config={
                "metadata": {"name": name},
                "image": {"image": APP_IMAGE},
                "linux": {"security_context": context},
                **config,
            },
            sandbox_config=running.sandbox_config,
        )
        container_id: str = created.container_id
        self.client.call("StartContainer", container_id=container_id)
        running.containers[name] = container_id
        return container_id

    def remove(self, running: RunningPod) -> None:
        """Stop and remove the containers, then the sandbox."""
        for container_id in running.containers.values():
            self.client.call("StopContainer", container_id=container_id, timeout=2)
            self.client.call("RemoveContainer", container_id=container_id)
        self.client.call("StopPodSandbox", pod_sandbox_id=running.pod_sandbox_id)
        self.client.call("RemovePodSandbox", pod_sandbox_id=running.pod_sandbox_id)

    def container_info(self, container_id: str) -> dict[str, Any]:
        """The runtime's own account of a container: `pid`, `runtimeSpec` and more."""
        answer = self.client.call("ContainerStatus", container_id=container_id, verbose=True)
        info: dict[str, Any] = json.loads(answer.info["info"])
        return info

    def sandbox_info(self, pod_sandbox_id: str) -> dict[str, Any]:
        """The runtime's own account of a sandbox: `pid`, `runtimeSpec` and more."""
        answer = self.client.call("PodSandboxStatus", pod_sandbox_id=pod_sandbox_id, verbose=True)
        info: dict[str, Any] = json.loads(answer.info["info"])
        return info

    def namespace(self, container_id: str, type_: str) -> str:
        """The namespace of a container's process, such as `net:[4026532254]`."""
        return os.readlink(f"/proc/{self.container_info(container_id)['pid']}/ns/{type_}")

    def run_inside(self, container_id: str, *command: str) -> str:
        """What `command` prints in a container.

        Raises:
            CommandFailedError: it did not exit 0.
        """
        answer = self.client.call(
            "ExecSync", container_id=container_id, cmd=list(command), timeout=10
        )
        if answer.exit_code:
            raise CommandFailedError(command, answer.exit_code, answer.stderr.decode())
        printed: str = answer.stdout.decode()
        return printed

    def can_make_user_namespaces(self) -> bool:
        """Whether the runtime says so; the kubelet refuses `hostUsers: false` where it does not."""
        handlers = self.client.call("Status").runtime_handlers
        return any(handler.features.user_namespaces for handler in handlers)

    def _sandbox_config(self, pod: Pod) -> dict[str, Any]:
        return {
            "metadata": {
                "name": pod.name,
                "namespace": pod.k8s_namespace,
                "uid": str(uuid.uuid4()),
            },
            # A host-network pod keeps the host's name: runc would refuse to set another.
            "hostname": "" if pod.host_network else pod.name,
            # TEST-NET-1: nobody answers, and the host's resolv.conf need not be there.
            "dns_config": {"servers": ["192.0.2.53"]},
            "annotations": dict(pod.annotations),
            "linux": {
                "cgroup_parent": self._cgroup_parent,
                "security_context": {
                    "namespace_options": pod.namespace_options,
                    "privileged": pod.privileged,
                },
            },
        }


class CommandFailedError(Exception):
    """A command in a container did not exit 0."""

    def __init__(self, command: tuple[str, ...], exit_code: int, stderr: str) -> None:
        super().__init__(f"{' '.join(command)}: exit code {exit_code}: {stderr.strip()}")
        self.exit_code = exit_code
