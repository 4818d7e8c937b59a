"""One look at a node: everything that its runtime has now, written as a ledger.

    took = take("/run/containerd/containerd.sock", "/tmp/seen")

It only asks: two lists, and the verbose status of each sandbox and container. What a status tells
and what /proc tells is recorded as reconciliation records what it drift (`source=reconcile`), so
every command answers from such a ledger as from the daemon's. What it cannot hold is what no
status repeats: the calls themselves, what was before, and what a hook saw at a start.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from nsledger.auditor.drift_recorder import DriftRecorder
from nsledger.auditor.node_state import NodeState
from nsledger.auditor.observer import Observer
from nsledger.auditor.runtime_status import ENDED, RuntimeStatusClient, StatusUnavailable
from nsledger.cri.client import RuntimeCallError, RuntimeClient
from nsledger.cri.messages import UndecodableError
from nsledger.errors import NsledgerError
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import DaemonStarted, DaemonStopped, Source
from nsledger.model.namespaces import NamespaceType
from nsledger.proc import host
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import NodeClock
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.ticket import RecordLostError
from nsledger.state.pod import Container, Pod

SOCKETS: Final = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/cri-dockerd.sock",
)
"""Where runtimes listen: containerd, CRI-O, k3s and RKE2, k0s, MicroK8s, cri-dockerd."""
_TIMEOUT_S: Final = 10.0
_CLOSE_S: Final = 10.0
_LEDGER_ID_BYTES: Final = 16
_QUEUE_LIMIT: Final = 1 << 20
_KTHREADD: Final = 2
"""The pid of the kernel's first thread (kthreads), in the kernel's first pid namespace."""


class NoRuntimeError(NsledgerError):
    """No socket on which a container runtime answers CRI calls."""

    hint = (
        "Give the socket with --runtime; `crictl info` and the kubelet's containerRuntimeEndpoint "
        "name it. It is root's: try with sudo."
    )


class NoProcessError(NsledgerError):
    """No process that the runtime names is in /proc: nothing can be said of any."""

    hint = (
        "This is another pid namespace than the node's: run with hostPID: true, or mount the "
        "node's / and give --root /host."
    )


class NotWrittenError(NsledgerError):
    """What was seen could not be written."""

    hint = "Give --ledger a directory on a disk with room."


@dataclass(frozen=True, slots=True)
class Taken:
    """How a look went."""

    runtime: str
    """Name and version, as the runtime says them: `containerd 2.1.9`."""
    socket: str
    sandboxes: int
    containers: int
    duration_s: float
    unanswered: tuple[str, ...]
    """Why the runtime did not tell something, once per question."""
    example: str
    """The name of a pod that runs; empty if there is none."""
    unread: Counter[str]
    """Processes of which nothing could be read, by errno: ENOENT of another pid namespace."""


def find_runtime(root: str = "/", sockets: tuple[str, ...] = SOCKETS) -> str:
    """The first of `sockets` below `root` on which a runtime answers.

    Raises:
        NoRuntimeError: none does; it says what is on each that is there.
    """
    seen: list[str] = []
    for socket in sockets:
        path = os.path.join(root, socket.lstrip("/"))
        if not os.path.exists(path):
            continue
        try:
            with RuntimeClient(path, timeout_s=_TIMEOUT_S) as client:
                client.version()
        except (RuntimeCallError, UndecodableError) as error:
            seen.append(f"{path}: {error}")
        else:
            return path
    found = "; ".join(seen) or f"none of {', '.join(sockets)}"
    raise NoRuntimeError(f"found {found}, needed the socket of a container runtime")


def take(socket: str, directory: str, *, node_name: str = "") -> Taken:
    """Ask the runtime at `socket` for all it has, and write a new ledger in `directory`.

    Raises:
        RuntimeCallError: it does not answer at all.
        UndecodableError: its lists are of no known shape.
        NotWrittenError: the ledger cannot be written.
        OSError: the same.
    """
    began_s = time.monotonic()
    with RuntimeClient(socket, timeout_s=_TIMEOUT_S) as client:
        version = client.version()
        LedgerWriter.open(directory).close()  # so that its errors are this caller's
        clock = NodeClock(host.boot_id())
        recorder = Recorder(
            lambda: LedgerWriter.open(directory),
            now=clock.now,
            new_ledger_id=lambda: secrets.token_hex(_LEDGER_ID_BYTES),
            queue_limit=_QUEUE_LIMIT,
        )
        recorder.start()
        try:
            node_state, unanswered = _record_all(client, recorder, clock, node_name)
        finally:
            lost = recorder.close(_CLOSE_S)
    if lost or recorder.dropped:
        failing = recorder.failing
        why = str(failing) if isinstance(failing, RecordLostError | OSError) else "too slow"
        raise NotWrittenError(f"{directory}: found {lost} records not written ({why})")
    _need_processes(node_state)
    pods = [pod for id_, pod in node_state.workloads.pods.items() if id_]
    running = sorted(pod.ref.full_name for pod in pods if not pod.ended)
    return Taken(
        runtime=f"{version.name} {version.version}",
        socket=socket,
        sandboxes=len(pods),
        containers=sum(len(pod.containers) for pod in pods),
        duration_s=time.monotonic() - began_s,
        unanswered=unanswered,
        example=running[0] if running else "",
        unread=_unread(node_state),
    )


def _record_all(
    client: RuntimeClient, recorder: Recorder, clock: NodeClock, node_name: str
) -> tuple[NodeState, tuple[str, ...]]:
    unanswered: list[str] = []

    def missed(reason: str) -> None:
        unanswered.append(reason)
        recorder.gap("status_unavailable", detail=reason)

    reference = _host_reference()
    runtime_status = RuntimeStatusClient(lambda: client, on_unanswered=missed)
    node_state = NodeState(recorder=recorder, clock=clock, host=reference.reading)
    observer = Observer(runtime_status=runtime_status, node_state=node_state)
    drift = DriftRecorder(
        runtime_status=runtime_status, observer=observer, node_state=node_state, clock=clock
    )
    node_state.record(
        DaemonStarted(
            source=Source.DAEMON,
            version=metadata.version("nsledger"),
            pid=os.getpid(),
            node_name=node_name or host.node_name(),
            kernel_release=host.kernel_release(),
            host=reference.reading,
            host_reference=reference.path,
            cgroup_version=host.cgroup_version(),
        )
    )
    sandboxes, containers = runtime_status.sandboxes(), runtime_status.containers()
    if isinstance(sandboxes, StatusUnavailable) or isinstance(containers, StatusUnavailable):
        raise NoRuntimeError(f"found {unanswered[0]}, needed the lists of pods and containers")
    for sandbox in sandboxes:
        drift.new_sandbox(sandbox.pod.pod_sandbox_id)
    for container in containers:
        drift.new_container(container.container.container_id)
    node_state.record(DaemonStopped(source=Source.DAEMON, reason="a snapshot was taken"))
    return node_state, tuple(unanswered)


def _host_reference() -> host.HostReference:
    """The node's namespaces; in a container never this process's own, which are no node's.

    Where the first process refuses, the kernel's thread daemon has what the kernel began with.
    """
    reference = host.host_reference()
    if reference.path == host.FIRST_PROCESS or not _is_kernel_thread_daemon(_KTHREADD):
        return reference
    return host.HostReference(reading=read_namespaces(_KTHREADD), path=f"/proc/{_KTHREADD}/ns")


def _is_kernel_thread_daemon(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read() == b"kthreadd\n"
    except OSError:
        return False


def _need_processes(node_state: NodeState) -> None:
    """Nothing, if a process of what runs was read, or nothing runs that has one.

    Raises:
        NoProcessError: in another pid namespace every process looks as if it had ended.
    """
    running: list[Pod | Container] = []
    for pod in node_state.workloads.pods.values():
        parts: list[Pod | Container] = [pod, *pod.containers.values()]
        running += [one for one in parts if not one.ended]
    gone = [one for one in running if one.unobservable == ENDED or _is_nowhere(one)]
    if gone and len(gone) == len(running):
        raise NoProcessError(f"found none of {len(gone)} processes of running pods in /proc")


def _is_nowhere(one: Pod | Container) -> bool:
    return one.actual is not None and "ENOENT" in one.actual.missing.values()


def _unread(node_state: NodeState) -> Counter[str]:
    """How many processes could not be read at all, by the errno of their net namespace."""
    readings = [pod.actual for pod in node_state.workloads.pods.values()]
    for pod in node_state.workloads.pods.values():
        readings += [container.actual for container in pod.containers.values()]
    return Counter(
        one.missing.get(NamespaceType.NET, "")
        for one in readings
        if one is not None and not one.namespaces
    )
