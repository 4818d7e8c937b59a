"""Hypothesis strategies for `conforming_node`: pods of every kind, with containers of every kind."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.property.conforming_node import Container, ContainerSpec, Node, Pod, PodSpec

pod_specs = st.builds(
    PodSpec,
    host_network=st.booleans(),
    host_pid=st.booleans(),
    host_ipc=st.booleans(),
    share_process_namespace=st.booleans(),
    host_users=st.booleans(),
    options=st.sampled_from([True, True, True, False]),
)


@dataclass(slots=True)
class Scene:
    """One pod of a node, and another that was there before it."""

    node: Node
    pod: Pod
    other: Pod

    @property
    def living(self) -> list[Container]:
        return [one for one in self.pod.containers.values() if one.alive]


@st.composite
def container_specs(draw: st.DrawFn) -> list[ContainerSpec]:
    specs: list[ContainerSpec] = []
    for _ in range(draw(st.integers(1, 4))):
        alive = [f"c{number}" for number, spec in enumerate(specs) if not spec.exits]
        specs.append(
            ContainerSpec(
                target=draw(st.sampled_from(["", *alive])),
                privileged=draw(st.booleans()),
                options=draw(st.sampled_from([True, True, True, False])),
                exits=draw(st.booleans()),
            )
        )
    return specs


@st.composite
def scenes(draw: st.DrawFn, pods: st.SearchStrategy[PodSpec] = pod_specs) -> Scene:
    node = Node(cgroup_version=draw(st.sampled_from([1, 2])), has_ids=draw(st.booleans()))
    other = node.run_pod(PodSpec(host_users=False))
    node.start_container(other, "c0", ContainerSpec())
    pod = node.run_pod(draw(pods))
    for number, spec in enumerate(draw(container_specs())):
        container = node.start_container(pod, f"c{number}", spec)
        if spec.exits:
            node.exit(container)
    return Scene(node, pod, other)
