"""Hypothesis strategies for `conforming_node`, and how its pods are put before the rules."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from nsledger.model.judgement import Judgement, LayerPair, Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.rules.judgement import judge_container, judge_sandbox
from tests.property.conforming_node import Container, ContainerSpec, Node, Pod, PodSpec

Judgements = dict[NamespaceType, Judgement]

namespace_types = st.sampled_from(list(NamespaceType))
nearly_always = st.sampled_from([True, True, True, False])

pod_specs = st.builds(
    PodSpec,
    host_network=st.booleans(),
    host_pid=st.booleans(),
    host_ipc=st.booleans(),
    share_process_namespace=st.booleans(),
    host_users=st.booleans(),
    options=nearly_always,
)


@dataclass(slots=True)
class Scene:
    """One pod of a node, and another one that was there before it."""

    node: Node
    pod: Pod
    other: Pod

    @property
    def living(self) -> list[Container]:
        return [one for one in self.pod.containers.values() if one.alive]

    def judge_sandbox(self) -> Judgements:
        pod = self.pod
        return judge_sandbox(pod.sandbox, pod.requested, pod.assigned, self.node.host, pod.paths)

    def judge(self, container: Container) -> Judgements:
        around = self.pod.around(container, self.node.host)
        return judge_container(container.actual, container.requested, container.assigned, around)

    def judge_all(self) -> list[Judgements]:
        return [self.judge_sandbox(), *(self.judge(one) for one in self.living)]


def mismatches(judgements: Judgements) -> dict[NamespaceType, tuple[LayerPair, ...]]:
    """The layers that contradict each other, by type."""
    return {
        type_: judgement.differ
        for type_, judgement in judgements.items()
        if judgement.verdict is Verdict.MISMATCH
    }


@st.composite
def container_specs(draw: st.DrawFn) -> list[ContainerSpec]:
    specs: list[ContainerSpec] = []
    for _ in range(draw(st.integers(1, 4))):
        alive = [f"c{number}" for number, spec in enumerate(specs) if not spec.exits]
        specs.append(
            ContainerSpec(
                target=draw(st.sampled_from(["", *alive])),
                privileged=draw(st.booleans()),
                options=draw(nearly_always),
                zeros=not draw(nearly_always),
                exits=draw(st.booleans()),
            )
        )
    return specs


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    return Node(cgroup_version=draw(st.sampled_from([1, 2])), has_ids=draw(st.booleans()))


@st.composite
def scenes(draw: st.DrawFn, pods: st.SearchStrategy[PodSpec] = pod_specs) -> Scene:
    node = draw(nodes())
    other = node.run_pod(PodSpec(host_users=False))
    node.start_container(other, "c0", ContainerSpec())
    pod = node.run_pod(draw(pods))
    for number, spec in enumerate(draw(container_specs())):
        container = node.start_container(pod, f"c{number}", spec)
        if spec.exits:
            node.exit(container)
    return Scene(node, pod, other)
