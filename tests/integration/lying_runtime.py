"""A CRI runtime that makes real processes, and not always in the namespaces that it was asked for.

Its sandboxes and containers are processes under unshare(1) and nsenter(1). What it was told to lie
about it does wrong in one of three ways: it writes another spec, it makes another process than its
spec says, or both. Its status has containerd's shape.
"""

from __future__ import annotations

import enum
import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.message import Message

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import RUNTIME_SERVICE
from tests.integration.fake_runtime import FakeRuntime, Script
from tests.processes import SLEEP, sleeping

_JOINED: Final = ("network", "ipc", "uts")
"""What containerd's containers join of their sandbox."""
_FLAGS: Final = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid", "mount": "mount"}
"""unshare's and nsenter's words for OCI's types."""


_MOVER: Final = """
import ctypes, signal, time
CLONE_NEWUTS = 0x04000000
signal.signal(signal.SIGUSR1, lambda *_: ctypes.CDLL(None).unshare(CLONE_NEWUTS))
while True:
    time.sleep(0.1)
"""
"""A container's process: it leaves its uts namespace when it is told to."""


class Lie(enum.Enum):
    """What is wrong with a container's ipc namespace, which the pod shares."""

    NONE = enum.auto()
    HONEST_SPEC = enum.auto()
    """The spec says that it joins the sandbox's; the process has a new one."""
    HONEST_PROCESS = enum.auto()
    """The process has what its spec says, which is a new one."""
    NO_SPEC = enum.auto()
    """The process has a new one, and the status tells no spec."""
    HOST = enum.auto()
    """The spec leaves it out: the process is in the host's."""
    NO_PROCESS = enum.auto()
    """No lie: it runs where this kernel has no process of it, and the status tells no pid."""


@dataclass
class _Made:
    pid: int = 0
    spec: list[dict[str, str]] | None = None
    request: Any = None
    runs: bool = False


@dataclass
class LyingRuntime:
    """Serves CRI at `path` from `__enter__` to `__exit__`."""

    path: str
    lie: Lie = Lie.NONE
    _sandboxes: dict[str, _Made] = field(default_factory=dict[str, _Made])
    _containers: dict[str, _Made] = field(default_factory=dict[str, _Made])
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        server = FakeRuntime(self.path)
        methods: dict[str, tuple[type[Message], Callable[[Any], Message]]] = {
            "RunPodSandbox": (pb.RunPodSandboxRequest, self._run_pod_sandbox),
            "PodSandboxStatus": (pb.PodSandboxStatusRequest, self._pod_sandbox_status),
            "ListPodSandbox": (pb.ListPodSandboxRequest, self._list_pod_sandbox),
            "CreateContainer": (pb.CreateContainerRequest, self._create_container),
            "StartContainer": (pb.StartContainerRequest, self._start_container),
            "ContainerStatus": (pb.ContainerStatusRequest, self._container_status),
            "ListContainers": (pb.ListContainersRequest, self._list_containers),
        }
        for method, (request, answer) in methods.items():
            server.scripts[RUNTIME_SERVICE + method] = _script(request, answer)
        self._stack.enter_context(server)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def end(self, container_id: str) -> None:
        """Kill a container's process, and go on saying that it runs."""
        os.kill(self._containers[container_id].pid, signal.SIGKILL)

    def move(self, container_id: str) -> None:
        """Have a container's process leave its uts namespace."""
        os.kill(self._containers[container_id].pid, signal.SIGUSR1)

    def _start(self, under: str, *program: str) -> int:
        return self._stack.enter_context(sleeping(under, program or SLEEP)).pid

    def _run_pod_sandbox(self, request: pb.RunPodSandboxRequest) -> Message:
        new = ("network", "ipc", "uts", "mount")
        flags = " ".join(f"--{_FLAGS[type_]}" for type_ in new)
        spec = [{"type": type_} for type_ in new]
        id_ = f"sandbox-{len(self._sandboxes)}"
        self._sandboxes[id_] = _Made(self._start(f"unshare {flags}"), spec, request)
        return pb.RunPodSandboxResponse(pod_sandbox_id=id_)

    def _create_container(self, request: pb.CreateContainerRequest) -> Message:
        sandbox = self._sandboxes[request.pod_sandbox_id]
        joined = [
            {"type": type_, "path": f"/proc/{sandbox.pid}/ns/{_FLAGS[type_]}"} for type_ in _JOINED
        ]
        spec: list[dict[str, str]] | None = [*joined, {"type": "mount"}]
        if self.lie is Lie.HONEST_PROCESS:
            spec = [joined[0], {"type": "ipc"}, joined[2], {"type": "mount"}]
        elif self.lie is Lie.HOST:
            spec = [joined[0], joined[2], {"type": "mount"}]
        elif self.lie is Lie.NO_SPEC:
            spec = None
        id_ = f"container-{len(self._containers)}"
        self._containers[id_] = _Made(0, spec, request)
        return pb.CreateContainerResponse(container_id=id_)

    def _start_container(self, request: pb.StartContainerRequest) -> Message:
        made = self._containers[request.container_id]
        sandbox = self._sandboxes[made.request.pod_sandbox_id].pid
        joins, new = "--net --uts --ipc", "--mount"
        if self.lie not in {Lie.NONE, Lie.NO_PROCESS}:
            joins = "--net --uts"
            new = "--mount" if self.lie is Lie.HOST else "--mount --ipc"
        under = f"nsenter -t {sandbox} {joins} unshare {new}"
        made.runs = True
        if self.lie is not Lie.NO_PROCESS:
            made.pid = self._start(under, "/usr/bin/python3", "-I", "-c", _MOVER)
        return pb.VersionRequest()  # empty, as the answer is

    def _pod_sandbox_status(self, request: pb.PodSandboxStatusRequest) -> Message:
        made = self._sandboxes[request.pod_sandbox_id]
        status = pb.PodSandboxStatus(
            id=request.pod_sandbox_id, metadata=made.request.config.metadata
        )
        return pb.PodSandboxStatusResponse(status=status, info=_info(made))

    def _container_status(self, request: pb.ContainerStatusRequest) -> Message:
        made = self._containers[request.container_id]
        status = pb.ContainerStatus(
            id=request.container_id,
            metadata=made.request.config.metadata,
            state=pb.CONTAINER_RUNNING if made.runs else pb.CONTAINER_CREATED,
        )
        info = _info(made, sandboxID=made.request.pod_sandbox_id)
        return pb.ContainerStatusResponse(status=status, info=info)

    def _list_pod_sandbox(self, _request: pb.ListPodSandboxRequest) -> Message:
        return pb.ListPodSandboxResponse(
            items=[
                pb.PodSandbox(id=id_, metadata=made.request.config.metadata)
                for id_, made in self._sandboxes.items()
            ]
        )

    def _list_containers(self, _request: pb.ListContainersRequest) -> Message:
        return pb.ListContainersResponse(
            containers=[
                pb.Container(
                    id=id_,
                    pod_sandbox_id=made.request.pod_sandbox_id,
                    metadata=made.request.config.metadata,
                    state=pb.CONTAINER_RUNNING if made.runs else pb.CONTAINER_CREATED,
                )
                for id_, made in self._containers.items()
            ]
        )


def _script(request: type[Message], answer: Callable[[Any], Message]) -> Script:
    return Script(answer=lambda message: [answer(request.FromString(message)).SerializeToString()])


def _info(made: _Made, **more: str) -> dict[str, str]:
    told: dict[str, Any] = {"pid": made.pid, "runtimeType": "io.containerd.runc.v2", **more}
    if made.spec is not None:
        told["runtimeSpec"] = {"linux": {"namespaces": made.spec}}
    return {"info": json.dumps(told)}
