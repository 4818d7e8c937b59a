from __future__ import annotations

from msgspec import structs

from nsledger.model.events import ContainerStarted, PodAssigned
from nsledger.model.judgement import Judgement, LayerPair, Verdict
from nsledger.model.namespaces import NamespaceReading
from nsledger.model.record import Record
from nsledger.state import process_findings
from nsledger.state.findings import Kind, Severity, Sighting
from nsledger.state.process_findings import NodeFacts
from tests.synthetic_node import CGROUP, MNT, NET, PID, TIME, USER, UTS, example_node

RECORD = next(one for one in example_node().decoded() if isinstance(one.event, ContainerStarted))
V1, V2 = NodeFacts(cgroup_version=1), NodeFacts(cgroup_version=2)


def started(**more: object) -> Record:
    return structs.replace(RECORD, event=structs.replace(RECORD.event, **more))


def found(record: Record, node: NodeFacts = V2) -> list[Sighting]:
    event = record.event
    assert isinstance(event, ContainerStarted | PodAssigned)
    return list(process_findings.of_start(record, event, node))


def test_an_ordinary_container_is_no_finding() -> None:
    assert found(RECORD) == []


def test_of_the_hosts_only_what_an_ordinary_pod_is_not_in_counts() -> None:
    host = Judgement("host", Verdict.MATCH)

    every = dict.fromkeys((NET, PID, UTS, CGROUP, USER, TIME, MNT), host)

    (one,) = found(started(judgements=every))
    assert set(one.types) == {NET, PID, UTS, CGROUP, MNT}
    assert (one.kind, one.severity, one.container) == (Kind.HOST_NAMESPACE, Severity.MEDIUM, None)
    assert found(started(judgements={CGROUP: host}), V1) == []
    assert [one.severity for one in found(started(judgements={UTS: host}))] == [Severity.LOW]


def test_each_two_layers_that_disagree_are_one_finding_with_their_words() -> None:
    wrong = Judgement(
        "private",
        Verdict.MISMATCH,
        reason="requested POD, assigned new; requested POD, got private",
        differ=(LayerPair.REQUESTED_ASSIGNED, LayerPair.REQUESTED_ACTUAL),
    )

    spec, process = found(started(judgements={NET: wrong}))

    assert (spec.kind, spec.summary) == (
        Kind.MISMATCH_REQUESTED_ASSIGNED,
        "net: requested POD, assigned new",
    )
    assert (process.kind, process.summary) == (
        Kind.MISMATCH_REQUESTED_ACTUAL,
        "net: requested POD, got private",
    )


def test_wrong_mappings_are_one_finding_with_all_that_is_wrong() -> None:
    wrong = Judgement(
        "pod",
        Verdict.MISMATCH,
        reason="requested uids 0, got 7; requested gids 0, got 7",
        rule="requested.mappings",
        differ=(LayerPair.REQUESTED_ACTUAL,),
    )

    (one,) = found(started(judgements={USER: wrong}))

    assert one.summary == "user: requested uids 0, got 7; requested gids 0, got 7"


def test_what_the_kernel_has_not_at_all_is_no_partial_read() -> None:
    partly = started(actual=NamespaceReading(pid=7, missing={TIME: "ENOENT", PID: "EACCES"}))
    old = NodeFacts(NamespaceReading(pid=1, missing={TIME: "ENOENT"}), 2)

    (one,) = found(partly, old)

    assert (one.kind, one.types) == (Kind.PARTIAL_READ, (PID,))
    assert one.summary == "its {types} could not be read: EACCES"


def test_a_process_on_another_kernel_is_told_with_its_reason() -> None:
    (one,) = found(started(actual=None, judgements={}, unobservable="no host pid"))

    assert (one.kind, one.severity, one.summary) == (
        Kind.UNOBSERVABLE,
        Severity.INFO,
        "no host pid",
    )
