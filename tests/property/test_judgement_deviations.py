"""One thing done otherwise on a conforming node: it is found, where it is, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nsledger.model.judgement import LayerPair, Rule, Verdict
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    IdMapping,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
)
from nsledger.rules.judgement import judge_container, judge_sandbox
from tests.property.conforming_node import ContainerSpec, Node, Pod, PodSpec, Tamper
from tests.property.scenarios import Scene, mismatches, namespace_types, nodes, pod_specs, scenes

WRONG_SPEC = (LayerPair.REQUESTED_ASSIGNED, LayerPair.REQUESTED_ACTUAL)
WRONG_PROCESS = (LayerPair.REQUESTED_ACTUAL, LayerPair.ASSIGNED_ACTUAL)
askable = st.sampled_from(
    [NamespaceType.IPC, NamespaceType.NET, NamespaceType.PID, NamespaceType.USER]
)


def run(node: Node, pod: Pod, tamper: Tamper) -> Scene:
    node.start_container(pod, "tampered", ContainerSpec(), tamper)
    return Scene(node, pod, pod)


def only(scene: Scene, type_: NamespaceType, pairs: tuple[LayerPair, ...]) -> bool:
    """Whether the tampered container has this mismatch alone, and nobody else has any."""
    found = {one.name: mismatches(scene.judge(one)) for one in scene.living}
    tampered = found.pop("tampered")
    bystanders = [mismatches(scene.judge_sandbox()), *found.values()]
    return tampered == {type_: pairs} and not any(bystanders)


@given(nodes(), pod_specs, askable)
def test_a_runtime_that_gives_a_new_one_instead_of_what_was_asked(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    pod = node.run_pod(spec)
    assume(pod.requested.mode(type_) in {NamespaceMode.POD, NamespaceMode.NODE})

    scene = run(node, pod, Tamper(type_, assignment=lambda _: NEW))

    assert only(scene, type_, WRONG_SPEC)


@given(nodes(), pod_specs, askable)
def test_a_runtime_that_gives_the_hosts_instead_of_what_was_asked(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    pod = node.run_pod(spec)
    assume(pod.requested.mode(type_) in {NamespaceMode.POD, NamespaceMode.CONTAINER})

    scene = run(node, pod, Tamper(type_, assignment=lambda _: INHERITED))

    assert only(scene, type_, WRONG_SPEC)


@given(nodes(), pod_specs)
def test_a_runtime_that_shares_the_pods_processes_unasked(node: Node, spec: PodSpec) -> None:
    pod = node.run_pod(spec)
    assume(pod.requested.pid is NamespaceMode.CONTAINER)
    join = f"/proc/{pod.sandbox.pid}/ns/pid"

    scene = run(node, pod, Tamper(NamespaceType.PID, assignment=lambda _: join))

    assert only(scene, NamespaceType.PID, WRONG_SPEC)


@given(nodes(), pod_specs)
def test_a_runtime_that_joins_an_older_sibling_unasked(node: Node, spec: PodSpec) -> None:
    pod = node.run_pod(spec)
    assume(pod.requested.pid is NamespaceMode.CONTAINER)
    elder = node.start_container(pod, "elder", ContainerSpec())
    join = f"/proc/{elder.actual.pid}/ns/pid"

    scene = run(node, pod, Tamper(NamespaceType.PID, assignment=lambda _: join))

    assert only(scene, NamespaceType.PID, WRONG_SPEC)
    assert scene.judge(elder)[NamespaceType.PID].sharing == "container:tampered"


@given(nodes(), pod_specs, st.sampled_from([NEW, INHERITED, "sandbox", "bystander"]))
def test_a_runtime_that_misses_the_target(node: Node, spec: PodSpec, instead: str) -> None:
    pod = node.run_pod(spec)
    assume(pod.requested.pid is NamespaceMode.CONTAINER)
    node.start_container(pod, "app", ContainerSpec())
    bystander = node.start_container(pod, "bystander", ContainerSpec())
    pids = {"sandbox": pod.sandbox.pid, "bystander": bystander.actual.pid}
    missed = f"/proc/{pids[instead]}/ns/pid" if instead in pids else instead
    tamper = Tamper(NamespaceType.PID, assignment=lambda _: missed)

    debugger = node.start_container(pod, "tampered", ContainerSpec(target="app"), tamper)

    assert only(Scene(node, pod, pod), NamespaceType.PID, WRONG_SPEC)
    assert debugger.requested.pid is NamespaceMode.TARGET


@given(nodes(), pod_specs, askable)
def test_a_runtime_that_joins_another_pods_sandbox(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    other = node.run_pod(PodSpec(host_users=False))
    pod = node.run_pod(spec)
    assume(pod.requested.mode(type_) in {NamespaceMode.POD, NamespaceMode.NODE})
    path = f"/proc/{other.sandbox.pid}/ns/{type_}"

    scene = run(node, pod, Tamper(type_, assignment=lambda _: path))

    # Where that path leads is not known: what is seen is that it is not where it should.
    assert only(scene, type_, (LayerPair.REQUESTED_ACTUAL,))


@given(nodes(), pod_specs, namespace_types)
def test_a_process_that_gets_a_new_one_instead_of_the_path_in_its_spec(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    pod = node.run_pod(spec)
    tamper = Tamper(type_, identity=lambda _: node.kernel.new_namespace())

    scene = run(node, pod, tamper)

    assume(tamper.was_assigned != NEW)
    asked = pod.requested.mode(type_) is not None
    assert only(scene, type_, WRONG_PROCESS if asked else (LayerPair.ASSIGNED_ACTUAL,))


@given(nodes(), pod_specs, namespace_types)
def test_a_process_that_gets_the_hosts_instead_of_one_apart(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    pod = node.run_pod(spec)
    hosts = node.host.namespaces[type_]
    tamper = Tamper(type_, identity=lambda _: hosts)

    scene = run(node, pod, tamper)

    assume(tamper.was_identity != hosts)
    asked = pod.requested.mode(type_) is not None
    assert only(scene, type_, WRONG_PROCESS if asked else (LayerPair.ASSIGNED_ACTUAL,))


@given(nodes(), pod_specs, namespace_types)
def test_a_sandbox_in_the_hosts_instead_of_one_apart(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    hosts = node.host.namespaces[type_]

    tamper = Tamper(type_, identity=lambda _: hosts)

    pod = node.run_pod(spec, tamper)

    assume(tamper.was_identity != hosts)
    asked = pod.requested.mode(type_) is not None
    found = mismatches(Scene(node, pod, pod).judge_sandbox())
    assert found == {type_: WRONG_PROCESS if asked else (LayerPair.ASSIGNED_ACTUAL,)}


@given(nodes(), pod_specs, askable)
def test_a_sandbox_apart_instead_of_the_hosts(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    pod = node.run_pod(spec, Tamper(type_, assignment=lambda _: NEW))

    assume(pod.requested.mode(type_) is NamespaceMode.NODE)
    assert mismatches(Scene(node, pod, pod).judge_sandbox()) == {type_: WRONG_SPEC}


@given(nodes(), pod_specs, askable)
def test_a_container_that_follows_a_sandbox_which_strayed_into_the_hosts(
    node: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    pod = node.run_pod(spec, Tamper(type_, assignment=lambda _: INHERITED))
    assume(pod.requested.mode(type_) is NamespaceMode.POD)
    node.start_container(pod, "app", ContainerSpec())

    sandbox, container = Scene(node, pod, pod).judge_all()

    assert set(mismatches(sandbox)) == set(mismatches(container)) == {type_}


@given(
    node=nodes(),
    spec=pod_specs,
    which=st.sampled_from(["uid_map", "gid_map"]),
    of_sandbox=st.booleans(),
)
def test_a_user_namespace_with_other_mappings(
    node: Node, spec: PodSpec, which: str, *, of_sandbox: bool
) -> None:
    pod = node.run_pod(spec)
    assume(pod.requested.user is not None)
    container = node.start_container(pod, "app", ContainerSpec())
    other = (IdMapping(container_id=0, host_id=7, length=65536),)

    def changed(reading: NamespaceReading) -> NamespaceReading:
        maps = {"uid_map": reading.uid_map, "gid_map": reading.gid_map, which: other}
        return NamespaceReading(
            pid=reading.pid,
            start_ticks=reading.start_ticks,
            namespaces=reading.namespaces,
            uid_map=maps["uid_map"],
            gid_map=maps["gid_map"],
        )

    if of_sandbox:
        judged = judge_sandbox(
            changed(pod.sandbox), pod.requested, pod.assigned, node.host, pod.paths
        )
    else:
        around = pod.around(container, node.host)
        judged = judge_container(
            changed(container.actual), container.requested, container.assigned, around
        )

    assert mismatches(judged) == {NamespaceType.USER: (LayerPair.REQUESTED_ACTUAL,)}
    assert judged[NamespaceType.USER].rule == Rule.REQUESTED_MAPPINGS
    assert which[:3] in judged[NamespaceType.USER].reason


@given(scenes())
def test_the_other_pod_is_never_blamed(scene: Scene) -> None:
    bystander = Scene(scene.node, scene.other, scene.pod)

    assert not any(mismatches(judged) for judged in bystander.judge_all())


@pytest.mark.parametrize("type_", [NamespaceType.UTS, NamespaceType.CGROUP, NamespaceType.TIME])
def test_what_cri_cannot_ask_for_is_the_runtimes_choice(type_: NamespaceType) -> None:
    node = Node()
    pod = node.run_pod(PodSpec())

    for assignment in (NEW, INHERITED):
        tamper = Tamper(type_, assignment=lambda _, chosen=assignment: chosen)  # type: ignore[misc]  # a default binds the loop's value
        container = node.start_container(pod, assignment, ContainerSpec(), tamper)

        judged = Scene(node, pod, pod).judge(container)[type_]
        assert judged.verdict is Verdict.NOT_REQUESTED
