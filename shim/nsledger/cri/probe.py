"""A throw-away pod: that a container starts at all, and who sees it.

The container runs the sandbox's own image, which is on every node, in the host's network, so that
no CNI plugin has to be there yet. It is stopped and removed whatever becomes of it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from nsledger.cri.client import RuntimeCallError, RuntimeClient
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import parse

K8S_NAMESPACE: Final = "nsledger"
"""No pod of a cluster's is in it: the API server knows nothing of this one."""
_UID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ProbePod:
    """What differs from node to node."""

    image: str
    """Of the sandbox, which is the container's too."""
    cgroup_parent: str
    """A slice where runc is told to use systemd, else a path."""
    runtime_handler: str = ""


class ProbeClient(RuntimeClient):
    """The calls of a kubelet that make and remove a pod."""

    def run_pod_sandbox(self, request: pb.RunPodSandboxRequest) -> str:
        """Start a sandbox; its id."""
        return parse(pb.RunPodSandboxResponse, self._call("RunPodSandbox", request)).pod_sandbox_id

    def remove_pod_sandbox(self, pod_sandbox_id: str) -> None:
        """Stop and remove a sandbox, with the containers that are left in it."""
        self._call("StopPodSandbox", pb.StopPodSandboxRequest(pod_sandbox_id=pod_sandbox_id))
        self._call("RemovePodSandbox", pb.RemovePodSandboxRequest(pod_sandbox_id=pod_sandbox_id))

    def create_container(self, request: pb.CreateContainerRequest) -> str:
        """Create a container; its id."""
        answer = self._call("CreateContainer", request)
        return parse(pb.CreateContainerResponse, answer).container_id

    def start_container(self, container_id: str) -> None:
        """Start a container: here the hook runs."""
        self._call("StartContainer", pb.StartContainerRequest(container_id=container_id))

    def remove_container(self, container_id: str) -> None:
        """Remove a container; one that runs is killed."""
        self._call("RemoveContainer", pb.RemoveContainerRequest(container_id=container_id))


def run_probe(
    client: ProbeClient, pod: ProbePod, *, while_it_runs: Callable[[str], None] = lambda _: None
) -> str:
    """Start a sandbox and a container, and remove both; the container's id.

    Args:
        client: to the runtime, or to the shim in front of it.
        pod: what to run.
        while_it_runs: called with the container's id before it is removed.

    Raises:
        RuntimeCallError: the runtime refused one of the calls.
    """
    config = _sandbox_config(pod)
    with _sandbox(client, config, pod.runtime_handler) as pod_sandbox_id:
        request = pb.CreateContainerRequest(
            pod_sandbox_id=pod_sandbox_id,
            config=pb.ContainerConfig(
                metadata=pb.ContainerMetadata(name="probe"), image=pb.ImageSpec(image=pod.image)
            ),
            sandbox_config=config,
        )
        container_id = client.create_container(request)
        try:
            client.start_container(container_id)
            while_it_runs(container_id)
        finally:
            # What cannot be removed goes with its sandbox.
            with contextlib.suppress(RuntimeCallError):
                client.remove_container(container_id)
    return container_id


@contextlib.contextmanager
def _sandbox(
    client: ProbeClient, config: pb.PodSandboxConfig, runtime_handler: str
) -> Generator[str]:
    request = pb.RunPodSandboxRequest(config=config, runtime_handler=runtime_handler)
    pod_sandbox_id = client.run_pod_sandbox(request)
    try:
        yield pod_sandbox_id
    finally:
        client.remove_pod_sandbox(pod_sandbox_id)


def _sandbox_config(pod: ProbePod) -> pb.PodSandboxConfig:
    uid = secrets.token_hex(_UID_BYTES)
    options = pb.NamespaceOption(network=pb.NODE, pid=pb.CONTAINER, ipc=pb.POD)
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name="probe", uid=uid, namespace=K8S_NAMESPACE),
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=pod.cgroup_parent,
            security_context=pb.LinuxSandboxSecurityContext(namespace_options=options),
        ),
    )
