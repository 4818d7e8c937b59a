"""A model of a node on which everybody does as asked: kernel, kubelet, containerd and runc.

It knows nothing of `nsledger.rules.judgement` or `nsledger.rules.prediction`, and is written from
the same sources as they are (facts on containerd 1.6 to 2.3): what the rules say of this node is
what they must never complain about. `tamper` makes it do one thing otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    Assignment,
    IdMapping,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.rules.claims import JudgementContext

JOINED_BY_EVERY_CONTAINER = (NamespaceType.IPC, NamespaceType.NET, NamespaceType.UTS)


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What a user writes; `options` says in which way CRI is told."""

    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    host_users: bool = True
    options: bool = True
    """False: the client sends no NamespaceOption at all, as crictl may."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container of a pod, in the order they are started."""

    target: str = ""
    """An ephemeral container's `targetContainerName`."""
    privileged: bool = False
    options: bool = True
    """False: the client sends no NamespaceOption for it."""
    zeros: bool = False
    """The client sends one full of zeros, which is POD for all, whatever the pod asked for."""
    exits: bool = False
    """It ends before the next one starts: an init container, or an attempt that is restarted."""


@dataclass(slots=True)
class Container:
    name: str
    requested: RequestedNamespaces
    assigned: AssignedNamespaces
    actual: NamespaceReading
    target: Container | None = None
    alive: bool = True


@dataclass(slots=True)
class Pod:
    requested: RequestedNamespaces
    assigned: AssignedNamespaces
    sandbox: NamespaceReading
    paths: dict[str, NamespaceIdentity]
    containers: dict[str, Container] = field(default_factory=dict[str, Container])

    def around(self, container: Container, host: NamespaceReading) -> JudgementContext:
        """What the daemon would read beside `container` now."""
        living = [one for one in self.containers.values() if one.alive and one is not container]
        return JudgementContext(
            host=host,
            sandbox=self.sandbox,
            siblings={one.name: one.actual for one in living},
            target=None if container.target is None else container.target.actual,
            pod_requested=self.requested,
            paths=self.paths,
        )


@dataclass(slots=True)
class Tamper:
    """One thing that somebody does otherwise, to one type of one process."""

    type_: NamespaceType
    assignment: Callable[[Assignment], Assignment] | None = None
    """The runtime writes this into the spec."""
    identity: Callable[[NamespaceIdentity], NamespaceIdentity] | None = None
    """The process gets this, whatever the spec says."""
    was_assigned: Assignment = ""
    """What the spec would have said, once it was written."""
    was_identity: NamespaceIdentity | None = None
    """What the process would have had."""


class Kernel:
    """Hands out namespaces: inodes of the dead first, ids never twice, or no ids at all.

    Each has an `owner_ino` of its own, which no rule looks at: by it a test knows the truth.
    """

    def __init__(self, *, has_ids: bool) -> None:
        self._has_ids = has_ids
        self._ids = itertools.count(2**53)
        self._serials = itertools.count(1)
        self._inodes = itertools.count(4026532200)
        self._free: list[int] = []
        self._pids = itertools.count(4000)
        self._ticks = itertools.count(90_000, 7)

    def new_namespace(self) -> NamespaceIdentity:
        ino = self._free.pop() if self._free else next(self._inodes)
        ns_id = str(next(self._ids)) if self._has_ids else None
        return NamespaceIdentity(dev=4, ino=ino, ns_id=ns_id, owner_ino=next(self._serials))

    def free(self, identity: NamespaceIdentity) -> None:
        self._free.append(identity.ino)

    def process(
        self,
        namespaces: dict[NamespaceType, NamespaceIdentity],
        uids: tuple[IdMapping, ...] = (),
        gids: tuple[IdMapping, ...] = (),
    ) -> NamespaceReading:
        return NamespaceReading(
            pid=next(self._pids),
            start_ticks=next(self._ticks),
            namespaces=namespaces,
            uid_map=uids,
            gid_map=gids,
        )


class Node:
    def __init__(self, *, cgroup_version: int = 2, has_ids: bool = True) -> None:
        self.cgroup_version = cgroup_version
        self.kernel = Kernel(has_ids=has_ids)
        self.host = self.kernel.process(
            {type_: self.kernel.new_namespace() for type_ in NamespaceType}
        )
        self._processes = {self.host.pid: self.host}
        self._pods = itertools.count(1)

    def run_pod(self, spec: PodSpec, tamper: Tamper | None = None) -> Pod:
        """RunPodSandbox."""
        number = next(self._pods)
        requested = _kubelet_asks_for_pod(spec, number)
        paths: dict[str, NamespaceIdentity] = {}
        assigned = dict.fromkeys(NamespaceType, INHERITED)
        assigned[NamespaceType.MNT] = NEW
        if requested.net is not NamespaceMode.NODE:
            path = f"/var/run/netns/cni-{number:08x}"
            paths[path] = self.kernel.new_namespace()
            assigned[NamespaceType.NET] = path
            assigned[NamespaceType.UTS] = NEW
        if requested.pid is not NamespaceMode.NODE:
            assigned[NamespaceType.PID] = NEW
        if requested.ipc is not NamespaceMode.NODE:
            assigned[NamespaceType.IPC] = NEW
        if requested.user is not None:
            path = f"/run/containerd/sandboxes/{number}/pinned-namespaces/user"
            paths[path] = self.kernel.new_namespace()
            assigned[NamespaceType.USER] = path
        sandbox = self._start(assigned, paths, requested.user, tamper)
        return Pod(requested, assigned, sandbox, paths)

    def start_container(
        self, pod: Pod, name: str, spec: ContainerSpec, tamper: Tamper | None = None
    ) -> Container:
        """CreateContainer and StartContainer."""
        target = pod.containers.get(spec.target)
        requested = _kubelet_asks_for_container(pod.requested, spec, target)
        assigned = dict.fromkeys(NamespaceType, INHERITED)
        assigned[NamespaceType.MNT] = NEW
        for type_ in JOINED_BY_EVERY_CONTAINER:
            assigned[type_] = f"/proc/{pod.sandbox.pid}/ns/{type_}"
        if requested.pid is NamespaceMode.CONTAINER:
            assigned[NamespaceType.PID] = NEW
        elif requested.pid is NamespaceMode.TARGET and target is not None:
            assigned[NamespaceType.PID] = f"/proc/{target.actual.pid}/ns/pid"
        else:
            assigned[NamespaceType.PID] = f"/proc/{pod.sandbox.pid}/ns/pid"
        if requested.user is not None:
            assigned[NamespaceType.USER] = f"/proc/{pod.sandbox.pid}/ns/user"
        if self.cgroup_version == 2 and not spec.privileged:
            assigned[NamespaceType.CGROUP] = NEW
        actual = self._start(assigned, pod.paths, requested.user, tamper)
        container = Container(name, requested, assigned, actual, target)
        pod.containers[name] = container
        return container

    def exit(self, container: Container) -> None:
        """Its process ends, and what only it had goes back to the kernel."""
        container.alive = False
        del self._processes[container.actual.pid]
        for type_, identity in container.actual.namespaces.items():
            if container.assigned[type_] == NEW and not self._in_use(type_, identity):
                self.kernel.free(identity)

    def _in_use(self, type_: NamespaceType, identity: NamespaceIdentity) -> bool:
        return any(other.namespaces[type_] == identity for other in self._processes.values())

    def _start(
        self,
        assigned: AssignedNamespaces,
        paths: dict[str, NamespaceIdentity],
        user: UserNamespaceRequest | None,
        tamper: Tamper | None,
    ) -> NamespaceReading:
        if tamper is not None:
            tamper.was_assigned = assigned[tamper.type_]
            if tamper.assignment is not None:
                assigned[tamper.type_] = tamper.assignment(tamper.was_assigned)
        namespaces = {type_: self._open(type_, assigned[type_], paths) for type_ in NamespaceType}
        if tamper is not None:
            tamper.was_identity = namespaces[tamper.type_]
            if tamper.identity is not None:
                namespaces[tamper.type_] = tamper.identity(tamper.was_identity)
        in_hosts = namespaces[NamespaceType.USER] == self.host.namespaces[NamespaceType.USER]
        if user is None or in_hosts:
            process = self.kernel.process(namespaces)
        else:
            process = self.kernel.process(namespaces, user.uids, user.gids)
        self._processes[process.pid] = process
        return process

    def _open(
        self, type_: NamespaceType, assignment: Assignment, paths: dict[str, NamespaceIdentity]
    ) -> NamespaceIdentity:
        if assignment == INHERITED:
            return self.host.namespaces[type_]
        if assignment == NEW:
            return self.kernel.new_namespace()
        if assignment in paths:
            return paths[assignment]
        return self._processes[int(assignment.split("/")[2])].namespaces[type_]


def _kubelet_asks_for_pod(spec: PodSpec, number: int) -> RequestedNamespaces:
    if not spec.options:
        return RequestedNamespaces()
    if spec.host_pid:
        pid = NamespaceMode.NODE
    else:
        pid = NamespaceMode.POD if spec.share_process_namespace else NamespaceMode.CONTAINER
    lines = (IdMapping(container_id=0, host_id=number * 65536, length=65536),)
    return RequestedNamespaces(
        net=NamespaceMode.NODE if spec.host_network else NamespaceMode.POD,
        pid=pid,
        ipc=NamespaceMode.NODE if spec.host_ipc else NamespaceMode.POD,
        user=None if spec.host_users else UserNamespaceRequest(NamespaceMode.POD, lines, lines),
    )


def _kubelet_asks_for_container(
    pod: RequestedNamespaces, spec: ContainerSpec, target: Container | None
) -> RequestedNamespaces:
    if not spec.options:
        return RequestedNamespaces(user=pod.user)
    if spec.zeros:
        every = NamespaceMode.POD
        return RequestedNamespaces(net=every, pid=every, ipc=every, user=pod.user)
    targeted = target is not None and pod.pid is NamespaceMode.CONTAINER
    return RequestedNamespaces(
        net=pod.net,
        pid=NamespaceMode.TARGET if targeted else pod.pid,
        ipc=pod.ipc,
        target_id=f"id-of-{spec.target}" if targeted else None,
        user=pod.user,
    )
