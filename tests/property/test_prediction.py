"""What is predicted of a container, against what the model node's runtime then writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nsledger.rules.prediction import predict
from tests.property.conforming_node import ContainerSpec, Node, PodSpec
from tests.property.scenarios import nodes, pod_specs

container_specs = st.builds(
    ContainerSpec,
    target=st.sampled_from(["", "app"]),
    privileged=st.booleans(),
    options=st.booleans(),
    zeros=st.booleans(),
)


@given(nodes(), pod_specs, container_specs)
def test_what_is_predicted_is_what_the_runtime_writes(
    node: Node, pod_spec: PodSpec, spec: ContainerSpec
) -> None:
    pod = node.run_pod(pod_spec)
    app = node.start_container(pod, "app", ContainerSpec())
    last = node.start_container(pod, "last", spec)

    predicted = predict(
        last.requested,
        sandbox_pid=pod.sandbox.pid,
        sandbox_assigned=pod.assigned,
        target_pid=app.actual.pid,
        privileged=spec.privileged,
        cgroup_version=node.cgroup_version,
    )

    assert predicted == last.assigned
