from __future__ import annotations

import pytest

from nsledger.model.events import ContainerWitnessed, Source
from nsledger.model.namespaces import NamespaceReading
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.past import NothingYetError, Past, as_of, last_seq_at, now
from tests.synthetic_node import SyntheticNode


def then(node: SyntheticNode, at: str) -> Past:
    records = node.decoded()
    return as_of(records, at=at, last_seq=last_seq_at(reversed(records), at))


@pytest.fixture
def node() -> SyntheticNode:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    return node


def test_a_pod_is_there_from_its_first_record_to_its_last(node: SyntheticNode) -> None:
    before = node.now
    node.wait(10)
    sandbox = node.run_pod("web")
    during = node.now
    node.wait(10)
    node.stop_pod(sandbox)

    assert then(node, before).workloads.pods == {}
    assert not then(node, during).workloads.pods[sandbox].ended
    assert then(node, node.now).workloads.pods[sandbox].ended


def test_the_last_record_is_now(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")

    told = now(node.decoded())

    assert (told.at, told.unwatched) == (None, ())
    assert told.workloads.pods.keys() == {sandbox}


def test_before_the_first_record_nothing_can_be_told(node: SyntheticNode) -> None:
    first = node.decoded()[0].time

    with pytest.raises(NothingYetError) as caught:
        then(node, "2020-01-01T00:00:00Z")

    assert caught.value.first_time == first


def test_an_empty_ledger_tells_of_nothing_without_an_error() -> None:
    assert as_of([], at="2026-01-01T00:00:00Z", last_seq=0).workloads.pods == {}


def test_a_moment_in_a_gap_is_told_with_what_was_before_and_that_nobody_watched(
    node: SyntheticNode,
) -> None:
    sandbox = node.run_pod("web")
    node.stop_daemon()
    stopped = node.now
    node.wait(30)
    during = node.now
    node.wait(30)
    node.start_daemon()

    (hole,) = then(node, during).unwatched

    assert (hole.since, hole.until, hole.reason) == (
        stopped,
        node.now,
        "nsledger serve was stopped",
    )
    assert sandbox in then(node, during).workloads.pods
    assert then(node, node.decoded()[3].time).unwatched == ()


def test_after_the_last_stop_nobody_watches(node: SyntheticNode) -> None:
    node.stop_daemon()
    stopped = node.now
    node.wait(60)

    (hole,) = then(node, node.now).unwatched

    assert (hole.since, hole.until, hole.evidence) == (stopped, node.now, (3,))


def test_what_the_hook_saw_by_then_counts_though_the_spool_held_it_back(
    node: SyntheticNode,
) -> None:
    sandbox = node.run_pod("web")
    seen = node.now
    node.wait(30)
    during = node.now
    node.wait(30)
    for name, hook_time in (("app", seen), ("late", node.now)):
        node.say(
            ContainerWitnessed(
                source=Source.OCI_HOOK,
                pod=PodRef(pod_sandbox_id=sandbox),
                container=ContainerRef(container_id=name, name=name),
                stage="createRuntime",
                actual=NamespaceReading(pid=7),
                hook_time=hook_time,
            )
        )

    assert then(node, during).workloads.pods[sandbox].containers.keys() == {"app"}


def test_a_clock_that_was_set_back_takes_no_record_out_of_the_middle(node: SyntheticNode) -> None:
    node.wait(3600)
    sandbox = node.run_pod("web")
    node.wait(-3600)
    node.stop_pod(sandbox)

    assert then(node, node.now).workloads.pods[sandbox].ended
