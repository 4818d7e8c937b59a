"""Findings of the model node: none where everybody does as asked, each deviation its own."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from nsledger.model.judgement import LayerPair
from nsledger.model.namespaces import INHERITED, NEW, NamespaceMode, NamespaceType
from nsledger.state.findings import MISMATCHES, Finding, Kind
from nsledger.state.inspection import inspect
from tests.property.conforming_node import ContainerSpec, Node, PodSpec, Tamper
from tests.property.recorded_node import RecordedNode, conforming, disturbed
from tests.property.scenarios import namespace_types, nodes, pod_specs

askable = st.sampled_from(
    [NamespaceType.IPC, NamespaceType.NET, NamespaceType.PID, NamespaceType.USER]
)


def mismatches(found: list[Finding]) -> set[tuple[Kind, str, NamespaceType]]:
    return {
        (one.kind, one.container.name if one.container else "", one.types[0])
        for one in found
        if one.kind.startswith("mismatch.")
    }


@given(conforming())
def test_a_conforming_node_has_no_finding_but_the_hosts_namespaces_it_was_asked_for(
    node: RecordedNode,
) -> None:
    for one in inspect(node.records()):
        assert one.kind is Kind.HOST_NAMESPACE
        assert one.pod is not None
        pod = node.pods[one.pod.pod_sandbox_id]
        asked = {NamespaceType.NET, NamespaceType.PID, NamespaceType.IPC} & set(one.types)
        assert all(pod.requested.mode(type_) is NamespaceMode.NODE for type_ in asked)


@given(nodes(), pod_specs, askable, st.sampled_from([NEW, INHERITED]))
def test_a_spec_that_is_not_what_was_asked_is_found_and_nothing_else(
    model: Node, spec: PodSpec, type_: NamespaceType, instead: str
) -> None:
    node = RecordedNode(model)
    ref = node.run_pod(spec)
    mode = node.pods[ref.pod_sandbox_id].requested.mode(type_)
    assume(mode not in {None, NamespaceMode.CONTAINER if instead == NEW else NamespaceMode.NODE})
    node.start(ref, "good", ContainerSpec())
    node.start(ref, "bad", ContainerSpec(), Tamper(type_, assignment=lambda _: instead))

    assert mismatches(inspect(node.records())) == {
        (MISMATCHES[pair], "bad", type_)
        for pair in (LayerPair.REQUESTED_ASSIGNED, LayerPair.REQUESTED_ACTUAL)
    }


@given(nodes(), pod_specs, namespace_types)
def test_a_process_that_is_not_where_its_spec_says_is_found_and_nothing_else(
    model: Node, spec: PodSpec, type_: NamespaceType
) -> None:
    node = RecordedNode(model)
    ref = node.run_pod(spec)
    tamper = Tamper(type_, identity=lambda _: model.kernel.new_namespace())
    node.start(ref, "good", ContainerSpec())
    node.start(ref, "bad", ContainerSpec(), tamper)
    assume(tamper.was_assigned != NEW)

    pairs = {LayerPair.ASSIGNED_ACTUAL}
    if node.pods[ref.pod_sandbox_id].requested.mode(type_) is not None:
        pairs.add(LayerPair.REQUESTED_ACTUAL)

    assert mismatches(inspect(node.records())) == {
        (MISMATCHES[pair], "bad", type_) for pair in pairs
    }


@given(conforming())
def test_one_start_past_the_shim_is_one_finding_more(node: RecordedNode) -> None:
    before = inspect(node.records())
    ref = node.run_pod(PodSpec())
    node.start(ref, "stranger", ContainerSpec(), shim=False)

    (more,) = [one for one in inspect(node.records()) if one.kind is not Kind.HOST_NAMESPACE]

    assert more.kind is Kind.SHIM_BYPASSED
    assert more.container is not None
    assert more.container.name == "stranger"
    assert all(one.kind is Kind.HOST_NAMESPACE for one in before)


@given(conforming())
def test_one_start_that_the_hook_missed_is_one_finding_more(node: RecordedNode) -> None:
    ref = node.run_pod(PodSpec())
    node.start(ref, "seen", ContainerSpec())
    node.start(ref, "unseen", ContainerSpec(), hook=False)

    (more,) = [one for one in inspect(node.records()) if one.kind is not Kind.HOST_NAMESPACE]

    assert more.kind is Kind.HOOK_MISSING
    assert more.container is not None
    assert more.container.name == "unseen"


@given(disturbed())
def test_whatever_happens_every_finding_names_records_that_are_there(node: RecordedNode) -> None:
    records = {record.seq: record for record in node.records()}

    for one in inspect(records.values()):
        assert one.records
        assert set(one.records) <= records.keys()
        assert one.first_time <= one.last_time
