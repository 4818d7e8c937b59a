"""A node that never was: pods, containers and reboots as the daemon would have recorded them.

Readings and judgements are made by the same rules as in the daemon; inodes are handed out as the
kernel does, freed ones first, so that a test of ownership meets what a real node does to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import (
    CallFailed,
    ContainerAssigned,
    ContainerRemoved,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    DaemonStopped,
    DatedBy,
    Ending,
    Event,
    Gap,
    LedgerCreated,
    LedgerRecovered,
    NamespaceChanged,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    Source,
)
from nsledger.model.judgement import Judgement
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.record import Moment, Record, decode, encode, rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.rules.claims import JudgementContext
from nsledger.rules.judgement import judge_container, judge_sandbox
from nsledger.state.pods import Workloads

NET, IPC, UTS, PID, MNT = (NamespaceType(name) for name in ("net", "ipc", "uts", "pid", "mnt"))
USER, CGROUP, TIME = (NamespaceType(name) for name in ("user", "cgroup", "time"))

START_NS = 1_795_478_630_123_456_789  # 2026-11-24T00:03:50.123456789Z
NSFS = 4
HOST_INODES = {
    CGROUP: 4026531835,
    IPC: 4026531839,
    MNT: 4026531841,
    NET: 4026531840,
    PID: 4026531836,
    TIME: 4026531834,
    USER: 4026531837,
    UTS: 4026531838,
}
POD, CONTAINER, NODE = NamespaceMode.POD, NamespaceMode.CONTAINER, NamespaceMode.NODE
PLAIN = RequestedNamespaces(net=POD, pid=CONTAINER, ipc=POD)


class SyntheticNode:
    """Collects records; every method says what happened and moves the clock on."""

    def __init__(self, *, ns_ids: bool = True, start_ns: int = START_NS) -> None:
        self.now_ns = start_ns
        self.records: list[bytes] = []
        self.readings: dict[str, NamespaceReading] = {}
        self.pods: dict[str, PodRef] = {}
        self.containers: dict[str, tuple[PodRef, ContainerRef]] = {}
        self._requested: dict[str, RequestedNamespaces] = {}
        self._has_ns_ids = ns_ids
        self._begin_to_count()
        self._serial = itertools.count(1)
        self.boot_id = "00000000-0000-4000-8000-000000000001"
        self._mono_ns = 7_000_000_000

    def _begin_to_count(self) -> None:
        """As a kernel does that just booted."""
        self._ns_ids = itertools.count(4300)
        self._fresh = itertools.count(4026532254)
        self._free: list[int] = []
        self._pids = itertools.count(18477, 24)

    # time

    @property
    def now(self) -> str:
        """RFC 3339 of the last record."""
        return rfc3339(self.now_ns)

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)
        self._mono_ns += int(seconds * 1e9)

    def reboot(self) -> None:
        number = int(self.boot_id[-1]) + 1
        self.boot_id = f"{self.boot_id[:-1]}{number}"
        self.readings.clear()
        self._begin_to_count()
        self._mono_ns = 7_000_000_000
        self.wait(60)

    # what the daemon says

    def say(self, event: Event) -> int:
        """Put `event` on record; its sequence number."""
        self.wait(0.0125)
        self.records.append(encode(event, Moment(self.now_ns, self._mono_ns, self.boot_id)))
        return len(self.records)

    def create_ledger(self) -> None:
        self.say(LedgerCreated(source=Source.DAEMON, ledger_id="3f" * 16))

    def start_daemon(self) -> None:
        ids = (
            {type_: str(at) for at, type_ in enumerate(HOST_INODES, 1)} if self._has_ns_ids else {}
        )
        namespaces = {
            type_: NamespaceIdentity(NSFS, ino, ids.get(type_))
            for type_, ino in HOST_INODES.items()
        }
        self.readings["host"] = NamespaceReading(pid=1, start_ticks=2, namespaces=namespaces)
        self.say(
            DaemonStarted(
                source=Source.DAEMON,
                version="0.1.0",
                pid=612,
                node_name="node-1",
                kernel_release="6.18.5",
                host=self.readings["host"],
                host_reference="/proc/1/ns",
                cgroup_version=2,
            )
        )

    def recover_ledger(self) -> None:
        self.say(LedgerRecovered(source=Source.DAEMON, torn_bytes=412, kept_as="torn-1"))

    def stop_daemon(self) -> None:
        self.say(DaemonStopped(source=Source.DAEMON, reason="SIGTERM"))

    def gap(self, reason: str, *, count: int = 1, seconds: float = 5) -> None:
        first = self.now
        self.wait(seconds)
        self.say(
            Gap(
                source=Source.DAEMON,
                reason=reason,
                count=count,
                first_time=first,
                last_time=self.now,
            )
        )

    def run_pod(
        self,
        name: str,
        *,
        k8s_namespace: str = "default",
        requested: RequestedNamespaces = PLAIN,
        uid: str | None = None,
        attempt: int = 0,
    ) -> str:
        """RunPodSandbox; the pod sandbox id."""
        serial = next(self._serial)
        pod = PodRef(
            k8s_namespace=k8s_namespace,
            name=name,
            uid=uid or f"6f1c2d3e-0000-4000-8000-{serial:012x}",
            attempt=attempt,
        )
        audit_id = f"{serial:016x}"
        self.say(
            PodRequested(source=Source.CRI_PROXY, audit_id=audit_id, pod=pod, requested=requested)
        )
        pod = PodRef(
            pod_sandbox_id=_id("5a", serial),
            k8s_namespace=pod.k8s_namespace,
            name=pod.name,
            uid=pod.uid,
            attempt=pod.attempt,
        )
        of_host = (
            {type_ for type_ in (NET, PID, IPC) if requested.mode(type_) is NODE}
            | ({UTS} if requested.net is NODE else set())
            | {USER, TIME}
        )
        netns = "" if NET in of_host else f"/var/run/netns/cni-{serial:08x}"
        assigned: AssignedNamespaces = {
            type_: INHERITED if type_ in of_host else NEW for type_ in NamespaceType
        }
        if netns:
            assigned[NET] = netns
        actual = self._read(dict.fromkeys(of_host, "host"))
        self.readings[pod.pod_sandbox_id] = actual
        self.pods[pod.pod_sandbox_id] = pod
        self._requested[pod.pod_sandbox_id] = requested
        self.say(
            PodAssigned(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                pod=pod,
                assigned=assigned,
                netns_path=netns,
                ips=(f"10.88.0.{serial + 1}",) if netns else (),
                host_interfaces=(f"veth{serial:08x}",) if netns else (),
                actual=actual,
                judgements=judge_sandbox(actual, requested, assigned, self.readings["host"]),
            )
        )
        return pod.pod_sandbox_id

    def run_kata_pod(self, name: str) -> str:
        """A pod whose processes are in a virtual machine."""
        pod = PodRef(
            pod_sandbox_id=_id("5a", next(self._serial)),
            k8s_namespace="default",
            name=name,
            runtime_handler="kata",
        )
        self.pods[pod.pod_sandbox_id] = pod
        self.say(PodAssigned(source=Source.CRI_PROXY, pod=pod, unobservable="no host pid"))
        return pod.pod_sandbox_id

    def fail(self, method: str, status: int | None, pod_sandbox_id: str, name: str) -> None:
        """A call that the runtime refused, or that was cut off."""
        self.say(
            CallFailed(
                source=Source.CRI_PROXY,
                method=method,
                grpc_status=status,
                pod=self.pods[pod_sandbox_id],
                container=ContainerRef(name=name),
            )
        )

    def run_container(
        self,
        pod_sandbox_id: str,
        name: str,
        *,
        requested: RequestedNamespaces | None = None,
        joins: Mapping[NamespaceType, str] | None = None,
        attempt: int = 0,
        hook: bool = True,
        started: bool = True,
    ) -> str:
        """CreateContainer and StartContainer; the container id.

        `joins` says whose namespaces it really gets (`host`, or an id) against what was asked.
        """
        serial = next(self._serial)
        pod, requested = self.pods[pod_sandbox_id], requested or self._requested[pod_sandbox_id]
        container = ContainerRef(name=name, attempt=attempt, image="docker.io/library/busybox:1")
        audit_id = f"{serial:016x}"
        self.say(
            ContainerRequested(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                pod=pod,
                container=container,
                requested=requested,
            )
        )
        container = ContainerRef(
            container_id=_id("c0", serial),
            name=name,
            attempt=attempt,
            image="docker.io/library/busybox:1",
        )
        owners = {NET: pod_sandbox_id, IPC: pod_sandbox_id, UTS: pod_sandbox_id}
        for type_ in (USER, TIME):
            owners[type_] = "host"
        match requested.pid:
            case NamespaceMode.POD:
                owners[PID] = pod_sandbox_id
            case NamespaceMode.NODE:
                owners[PID] = "host"
            case NamespaceMode.TARGET:
                owners[PID] = requested.target_id or ""
            case _:
                pass
        assigned: AssignedNamespaces = {
            type_: NEW
            if type_ not in owners
            else INHERITED
            if owners[type_] == "host"
            else f"/proc/{self.readings[owners[type_]].pid}/ns/{type_}"
            for type_ in NamespaceType
        }
        self.say(
            ContainerAssigned(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                pod=pod,
                container=container,
                assigned=assigned,
            )
        )
        actual = self._read(owners | dict(joins or {}))
        if hook:
            self.say(
                ContainerWitnessed(
                    source=Source.OCI_HOOK,
                    pod=pod,
                    container=container,
                    stage="createRuntime",
                    status="created",
                    assigned=assigned,
                    actual=actual,
                    hook_time=self.now,
                    hook_duration_ns=4_100_000,
                )
            )
        siblings = {
            ref.name: self.readings[id_]
            for id_, (of, ref) in self.containers.items()
            if of.pod_sandbox_id == pod_sandbox_id and id_ in self.readings
        }
        target = self.readings.get(requested.target_id or "")
        self.readings[container.container_id] = actual
        self.containers[container.container_id] = pod, container
        if started:
            around = JudgementContext(
                host=self.readings["host"],
                sandbox=self.readings[pod_sandbox_id],
                siblings=siblings,
                target=target,
                pod_requested=self._requested[pod_sandbox_id],
            )
            judgements: dict[NamespaceType, Judgement] = judge_container(
                actual, requested, assigned, around
            )
            self.say(
                ContainerStarted(
                    source=Source.CRI_PROXY,
                    pod=pod,
                    container=container,
                    actual=actual,
                    judgements=judgements,
                    witnessed=hook,
                )
            )
        return container.container_id

    def move(self, id_: str, *types: NamespaceType, to: str | None = None) -> None:
        """Its process goes into the namespaces of `to`, or new ones, and reconcile finds it."""
        before = self.readings[id_]
        others = None if to is None else self.readings[to].namespaces
        there = {type_: others[type_] if others else self._new_namespace() for type_ in types}
        self.readings[id_] = replace(before, namespaces=before.namespaces | there)
        pod, container = self.containers.get(id_, (None, None))
        self.say(
            NamespaceChanged(
                source=Source.RECONCILE,
                pod=pod or self.pods[id_],
                container=container,
                before=before,
                actual=self.readings[id_],
                changed=types,
            )
        )

    def run_behind_the_shim(
        self, pod_sandbox_id: str, name: str, *, hook: bool = True, not_before: str = ""
    ) -> str:
        """A container that somebody started on the runtime's own socket.

        The hook sees it, or else reconcile finds it, whose look before was at `not_before`.
        """
        pod = self.pods[pod_sandbox_id]
        container = ContainerRef(container_id=_id("b0", next(self._serial)), name=name)
        joined = dict.fromkeys((NET, IPC, UTS), pod_sandbox_id) | dict.fromkeys(
            (USER, TIME), "host"
        )
        actual = self._read(joined)
        if hook:
            self.say(
                ContainerWitnessed(
                    source=Source.OCI_HOOK,
                    pod=PodRef(pod_sandbox_id=pod_sandbox_id),
                    container=container,
                    stage="createRuntime",
                    actual=actual,
                    hook_time=self.now,
                )
            )
        else:
            self.say(
                ContainerStarted(
                    source=Source.RECONCILE,
                    not_before=not_before,
                    pod=pod,
                    container=container,
                    actual=actual,
                )
            )
        self.readings[container.container_id] = actual
        self.containers[container.container_id] = pod, container
        return container.container_id

    def crash(self, id_: str) -> None:
        """The process ends by itself: nobody says so, and its namespaces are free again."""
        gone = self.readings.pop(id_)
        kept = {
            identity.ino
            for other in self.readings.values()
            for identity in other.namespaces.values()
        }
        self._free += [
            identity.ino for identity in gone.namespaces.values() if identity.ino not in kept
        ]

    def kill_pause(self, pod_sandbox_id: str) -> None:
        """Only the sandbox's process dies; its containers run on."""
        self.crash(pod_sandbox_id)
        pod = self.pods[pod_sandbox_id]
        self.say(PodStopped(source=Source.RECONCILE, pod=pod, ending=Ending.EXITED))

    def exit_found_later(self, container_id: str, seconds: float) -> None:
        """It ends by itself, and the record of that, which says when it was, comes later."""
        pod, container = self.containers[container_id]
        self.crash(container_id)
        ended_at = self.now
        self.wait(seconds)
        self.say(
            ContainerStopped(
                source=Source.RECONCILE,
                pod=pod,
                container=container,
                ending=Ending.EXITED,
                ended_at=ended_at,
                dated_by=DatedBy.RUNTIME,
            )
        )

    def resume(self, container_id: str) -> None:
        """It was wrongly put on record as ended, and found to run on."""
        pod, container = self.containers[container_id]
        exited = Ending.EXITED
        self.say(
            ContainerStopped(source=Source.RECONCILE, pod=pod, container=container, ending=exited)
        )
        self.say(
            ContainerStarted(
                source=Source.RECONCILE,
                pod=pod,
                container=container,
                actual=self.readings[container_id],
                still_running=True,
            )
        )

    def stop_container(self, container_id: str) -> None:
        pod, container = self.containers[container_id]
        self.crash(container_id)
        self.say(ContainerStopped(source=Source.CRI_PROXY, pod=pod, container=container))

    def remove_container(self, container_id: str) -> None:
        pod, container = self.containers.pop(container_id)
        self.say(ContainerRemoved(source=Source.CRI_PROXY, pod=pod, container=container))

    def stop_pod(self, pod_sandbox_id: str) -> None:
        for container_id, (pod, _) in list(self.containers.items()):
            if pod.pod_sandbox_id == pod_sandbox_id and container_id in self.readings:
                self.stop_container(container_id)
        if pod_sandbox_id in self.readings:
            self.crash(pod_sandbox_id)
        self.say(PodStopped(source=Source.CRI_PROXY, pod=self.pods[pod_sandbox_id]))

    def remove_pod(self, pod_sandbox_id: str) -> None:
        for container_id, (pod, _) in list(self.containers.items()):
            if pod.pod_sandbox_id == pod_sandbox_id:
                self.remove_container(container_id)
        self.say(PodRemoved(source=Source.CRI_PROXY, pod=self.pods[pod_sandbox_id]))

    # the kernel

    def _read(self, joined: Mapping[NamespaceType, str]) -> NamespaceReading:
        """A new process: in the namespaces of `joined`, else in new ones."""
        pid = next(self._pids)
        return NamespaceReading(
            pid=pid,
            start_ticks=self._mono_ns // 10_000_000,
            namespaces={
                type_: self.readings[joined[type_]].namespaces[type_]
                if type_ in joined
                else self._new_namespace()
                for type_ in NamespaceType
            },
        )

    def _new_namespace(self) -> NamespaceIdentity:
        ino = self._free.pop(0) if self._free else next(self._fresh)
        return NamespaceIdentity(NSFS, ino, str(next(self._ns_ids)) if self._has_ns_ids else None)

    # where it is kept

    def lines(self) -> list[bytes]:
        """The records as lines of a ledger; their links are not made."""
        return [
            b'{"seq":%d,"prev":"%b",%b\n' % (seq, b"0" * 64, record[1:])
            for seq, record in enumerate(self.records, 1)
        ]

    def decoded(self) -> list[Record]:
        """The records as a reader sees them."""
        return [decode(line) for line in self.lines()]

    def folded(self) -> Workloads:
        """What the records add up to."""
        workloads = Workloads()
        for record in self.decoded():
            workloads.apply_record(record)
        return workloads

    def write(self, directory: Path) -> Path:
        """Append what is not yet written to the ledger in `directory`."""
        writer = LedgerWriter.open(str(directory))
        try:
            fresh = self.records[writer.head.seq :]
            if fresh:
                writer.append(fresh)
        finally:
            writer.close()
        return directory


def example_node() -> SyntheticNode:
    """The four pods of the demo, and one that is gone."""
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    web = node.run_pod("web")
    node.run_container(web, "app")
    node.run_container(web, "sidecar")
    node.wait(7)
    shared = node.run_pod("debug", requested=RequestedNamespaces(net=POD, pid=POD, ipc=POD))
    node.run_container(shared, "shell")
    node.run_container(shared, "tracer")
    agent = node.run_pod(
        "node-agent-x7k2p",
        k8s_namespace="kube-system",
        requested=RequestedNamespaces(net=NODE, pid=NODE, ipc=NODE),
    )
    node.run_container(agent, "agent")
    node.wait(20)
    old = node.run_pod("job-29184")
    node.run_container(old, "work")
    node.wait(3)
    node.stop_pod(old)
    node.remove_pod(old)
    return node


def odd_node() -> SyntheticNode:
    """The same, and what can go wrong."""
    node = example_node()
    odd = node.run_pod("odd")
    node.run_container(odd, "strayed", joins={PID: "host"})
    target = node.run_container(odd, "unhooked", hook=False)
    debug = RequestedNamespaces(net=POD, ipc=POD, pid=NamespaceMode.TARGET, target_id=target)
    node.run_container(odd, "debugger", requested=debug)
    node.crash(target)
    node.wait(2)
    node.run_container(odd, "unhooked", attempt=1, started=False)
    node.gap("queue_full", count=3)
    node.fail("CreateContainer", 14, odd, "late")
    node.fail("StopContainer", None, odd, "late")
    node.run_kata_pod("sealed")
    node.stop_daemon()
    node.wait(30)
    node.recover_ledger()
    node.start_daemon()
    return node


def _id(prefix: str, serial: int) -> str:
    return f"{prefix}{serial:06x}" + f"{serial * 7919:056x}"
