"""The model node with a daemon that watches it: what happens on it as records.

Judgements are made at the moment of each start, as the daemon does. What ends by itself is told by
nobody, which is how the kernel comes to give its numbers to others unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st
from msgspec import structs

from nsledger.model.events import (
    ContainerAssigned,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    Event,
    NamespaceChanged,
    PodAssigned,
    PodRequested,
    Source,
    event_name,
)
from nsledger.model.namespaces import NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.model.record import Moment, Record, decode, encode, rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.rules.judgement import judge_container, judge_sandbox
from nsledger.state.pods import Workloads
from tests.property.conforming_node import ContainerSpec, Node, Pod, PodSpec, Tamper
from tests.property.scenarios import container_specs, nearly_always, nodes, pod_specs

BOOT_ID = "00000000-0000-4000-8000-000000000001"
START_NS = 1_795_478_630_000_000_000


class RecordedNode:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.lines: list[bytes] = []
        self.pods: dict[str, Pod] = {}
        """By `pod_sandbox_id`."""
        self.readings: dict[str, NamespaceReading] = {}
        """Of what lives, by the runtime's id: all that is so, also what nobody could read."""
        self.dead: dict[str, NamespaceReading] = {}
        self.say(
            DaemonStarted(
                source=Source.DAEMON,
                version="0",
                pid=1,
                host=self.node.host,
                host_reference="/proc/1/ns",
                cgroup_version=self.node.cgroup_version,
            )
        )

    def __repr__(self) -> str:
        return f"<{'; '.join(event_name(record.event) for record in self.records())}>"

    def say(self, event: Event) -> None:
        seq = len(self.lines) + 1
        # Ticks and this clock go on together, so that each start is after the daemon's.
        at = Moment(START_NS + seq * 1_000_000, seq * 1_000_000, BOOT_ID)
        self.lines.append(b'{"seq":%d,"prev":"",%b\n' % (seq, encode(event, at)[1:]))

    @property
    def now(self) -> str:
        return rfc3339(START_NS + len(self.lines) * 1_000_000)

    def run_pod(self, spec: PodSpec, tamper: Tamper | None = None) -> PodRef:
        pod = self.node.run_pod(spec, tamper)
        ref = PodRef(
            pod_sandbox_id=f"sandbox-{len(self.pods)}",
            k8s_namespace="default",
            name=f"pod-{len(self.pods)}",
        )
        self.pods[ref.pod_sandbox_id] = pod
        self.readings[ref.pod_sandbox_id] = pod.sandbox
        self.say(
            PodRequested(
                source=Source.CRI_PROXY,
                audit_id=ref.name,
                pod=structs.replace(ref, pod_sandbox_id=""),
                requested=pod.requested,
            )
        )
        self.say(
            PodAssigned(
                source=Source.CRI_PROXY,
                audit_id=ref.name,
                pod=ref,
                assigned=pod.assigned,
                actual=pod.sandbox,
                judgements=judge_sandbox(
                    pod.sandbox, pod.requested, pod.assigned, self.node.host, pod.paths
                ),
            )
        )
        return ref

    def start(
        self,
        ref: PodRef,
        name: str,
        spec: ContainerSpec,
        tamper: Tamper | None = None,
        *,
        hook: bool = True,
        shim: bool = True,
        blind: NamespaceType | None = None,
    ) -> ContainerRef:
        """Start a container; without `shim` only the hook sees it, and nobody can read `blind`."""
        pod = self.pods[ref.pod_sandbox_id]
        container = self.node.start_container(pod, name, spec, tamper)
        self.readings[f"id-of-{name}"] = container.actual
        if blind is not None:
            seen = {**container.actual.namespaces}
            del seen[blind]
            container.actual = structs.replace(
                container.actual, namespaces=seen, missing={blind: "EACCES"}
            )
        told = ContainerRef(container_id=f"id-of-{name}", name=name)
        if shim:
            asked = ContainerRequested(
                source=Source.CRI_PROXY,
                audit_id=f"{ref.name}/{name}",
                pod=ref,
                container=ContainerRef(name=name),
                requested=container.requested,
                privileged=spec.privileged,
            )
            self.say(asked)
            self.say(
                ContainerAssigned(
                    source=Source.CRI_PROXY,
                    audit_id=asked.audit_id,
                    pod=ref,
                    container=told,
                    assigned=container.assigned,
                )
            )
        if hook:
            self.say(
                ContainerWitnessed(
                    source=Source.OCI_HOOK,
                    pod=ref,
                    container=told,
                    stage="createRuntime",
                    assigned=container.assigned,
                    actual=container.actual,
                    hook_time=self.now,
                )
            )
        if shim:
            self.say(
                ContainerStarted(
                    source=Source.CRI_PROXY,
                    pod=ref,
                    container=told,
                    actual=container.actual,
                    judgements=judge_container(
                        container.actual,
                        container.requested,
                        container.assigned,
                        pod.around(container, self.node.host),
                    ),
                    witnessed=hook,
                )
            )
        return told

    def end(self, ref: PodRef, name: str, *, told: bool) -> None:
        pod = self.pods[ref.pod_sandbox_id]
        self.node.exit(pod.containers[name])
        self.dead[f"id-of-{name}"] = self.readings.pop(f"id-of-{name}")
        if told:
            gone = ContainerRef(container_id=f"id-of-{name}", name=name)
            self.say(ContainerStopped(source=Source.CRI_PROXY, pod=ref, container=gone))

    def move(self, ref: PodRef, name: str, type_: NamespaceType, there: NamespaceIdentity) -> None:
        id_ = f"id-of-{name}"
        before = self.readings[id_]
        if before.namespaces[type_].same_as(there):
            return
        after = structs.replace(before, namespaces=before.namespaces | {type_: there})
        self.readings[id_] = after
        self.say(
            NamespaceChanged(
                source=Source.RECONCILE,
                pod=ref,
                container=ContainerRef(container_id=id_, name=name),
                before=before,
                actual=after,
                changed=(type_,),
            )
        )

    def records(self) -> list[Record]:
        return [decode(line) for line in self.lines]

    def folded(self) -> Workloads:
        workloads = Workloads()
        for record in self.records():
            workloads.apply_record(record)
        return workloads


always = st.just(True)  # noqa: FBT003 - hypothesis' signature


@st.composite
def conforming(draw: st.DrawFn, *, hooks: st.SearchStrategy[bool] = always) -> RecordedNode:
    """Pods on which everybody did as asked; some containers ended, told or not."""
    node = RecordedNode(draw(nodes()))
    serial = 0
    for _ in range(draw(st.integers(1, 2))):
        ref = node.run_pod(draw(pod_specs))
        names: list[str] = []
        for spec in draw(container_specs()):
            name = f"c{serial}"
            target = names[int(spec.target[1:])] if spec.target else ""
            node.start(ref, name, replace(spec, target=target), hook=draw(hooks))
            names.append(name)
            serial += 1
            if spec.exits:
                node.end(ref, name, told=draw(st.booleans()))
    return node


@st.composite
def disturbed(draw: st.DrawFn) -> RecordedNode:
    """The same, and anything may be done otherwise, go unseen, or change."""
    node = draw(conforming(hooks=nearly_always))
    wrong: list[Callable[[NamespaceIdentity], NamespaceIdentity]] = [
        lambda _: node.node.kernel.new_namespace()
    ]
    for at, (id_, pod) in enumerate(list(node.pods.items())):
        ref = PodRef(pod_sandbox_id=id_, k8s_namespace="default", name=f"pod-{at}")
        for number in range(draw(st.integers(0, 3))):
            type_ = draw(st.sampled_from(list(NamespaceType)))
            anybodys = _one_of(draw, list(node.readings.values())).namespaces[type_]
            tamper = Tamper(type_)
            match draw(st.integers(0, 3)):
                case 0:
                    tamper.identity = wrong[0]
                case 1:
                    tamper.identity = lambda _, chosen=anybodys: chosen
                case _:
                    pass
            hook = draw(nearly_always)
            shim = draw(nearly_always) or not hook
            node.start(
                ref,
                f"w{at}-{number}",
                ContainerSpec(exits=False),
                tamper,
                hook=hook,
                shim=shim,
                blind=None if draw(nearly_always) else type_,
            )
        living = [name for name, one in pod.containers.items() if one.alive]
        if draw(st.booleans()) and living:
            type_ = draw(st.sampled_from(list(NamespaceType)))
            there = _one_of(draw, [*node.readings.values(), node.node.host]).namespaces[type_]
            node.move(ref, draw(st.sampled_from(living)), type_, there)
    return node


def _one_of(draw: st.DrawFn, readings: list[NamespaceReading]) -> NamespaceReading:
    """Chosen by number: a strategy over readings has a representation of many kilobytes."""
    return readings[draw(st.integers(0, len(readings) - 1))]
