from __future__ import annotations

import msgspec
import pytest

from nsledger.model.events import (
    Alteration,
    ContainerAssigned,
    ContainerStopped,
    ContainerWitnessed,
    DatedBy,
    Ending,
    LedgerPruned,
    PodRemoved,
    PodStopped,
    PruneRule,
    SegmentAltered,
    Source,
)
from nsledger.state.findings import Finding, Kind, Severity
from nsledger.state.inspection import Inspection, inspect
from tests.synthetic_node import NET, PID, USER, SyntheticNode, example_node, odd_node


@pytest.fixture
def node() -> SyntheticNode:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    return node


def kinds(node: SyntheticNode) -> list[Kind]:
    return [one.kind for one in inspect(node.decoded())]


def the_only(node: SyntheticNode) -> Finding:
    (one,) = inspect(node.decoded())
    return one


def test_an_empty_ledger_has_no_findings() -> None:
    assert inspect([]) == []


def test_an_ordinary_pod_is_no_finding(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")
    node.run_container(sandbox, "app")
    node.stop_pod(sandbox)
    node.remove_pod(sandbox)

    assert kinds(node) == []


def test_a_pod_in_the_hosts_is_one_finding_with_all_its_types() -> None:
    one = the_only(example_node())

    assert (one.kind, one.severity) == (Kind.HOST_NAMESPACE, Severity.MEDIUM)
    assert one.pod is not None
    assert one.pod.name == "node-agent-x7k2p"
    assert one.summary == "in the node's net ipc uts pid"
    assert USER not in one.types
    assert one.ongoing


def test_the_worst_comes_first_and_each_names_its_records() -> None:
    found = inspect(odd_node().decoded())

    assert [one.severity.rank for one in found] == sorted(one.severity.rank for one in found)
    assert all(one.records and one.remedy for one in found)
    assert [one.kind for one in found] == [
        Kind.MISMATCH_REQUESTED_ACTUAL,
        Kind.MISMATCH_ASSIGNED_ACTUAL,
        Kind.HOST_NAMESPACE,
        Kind.HOST_NAMESPACE,
        Kind.HOOK_MISSING,
        Kind.GAP,
        Kind.UNWATCHED,
        Kind.UNOBSERVABLE,
    ]


def test_a_mismatch_ends_with_its_container(node: SyntheticNode) -> None:
    strayed = node.run_container(node.run_pod("web"), "app", joins={NET: "host"})
    node.wait(60)
    node.stop_container(strayed)

    found = [one for one in inspect(node.decoded()) if one.kind.startswith("mismatch")]

    assert [one.types for one in found] == [(NET,), (NET,)]
    assert {(one.ongoing, one.last_time) for one in found} == {(False, node.now)}


def test_what_only_the_hook_saw_went_past_the_shim(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")
    node.run_behind_the_shim(sandbox, "stranger")

    one = the_only(node)

    assert (one.kind, one.severity) == (Kind.SHIM_BYPASSED, Severity.HIGH)
    assert one.pod is not None
    assert one.container is not None
    assert (one.pod.name, one.container.name) == ("web", "stranger")


def test_what_reconcile_found_since_its_last_look_went_past_the_shim(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")
    looked = node.now
    node.wait(30)
    began = node.now
    node.run_behind_the_shim(sandbox, "stranger", hook=False, not_before=looked)

    one = the_only(node)

    assert one.kind is Kind.SHIM_BYPASSED
    assert one.first_time == began  # by its start: the look before was half a minute sooner
    assert "unseen by the hook too" in one.summary


def test_what_reconcile_found_at_its_first_look_is_held_against_nobody(
    node: SyntheticNode,
) -> None:
    node.run_behind_the_shim(node.run_pod("web"), "elder", hook=False)

    assert kinds(node) == []


def test_a_call_that_comes_on_record_late_withdraws_that_it_went_past_the_shim(
    node: SyntheticNode,
) -> None:
    sandbox = node.run_pod("web")
    looked = node.now
    for name, hook in (("seen-by-hook", True), ("found", False)):
        id_ = node.run_behind_the_shim(sandbox, name, hook=hook, not_before=looked)
        pod, container = node.containers[id_]
        assert Kind.SHIM_BYPASSED in kinds(node)

        node.say(ContainerAssigned(source=Source.CRI_PROXY, pod=pod, container=container))

        assert kinds(node) == []


def test_what_may_be_behind_a_gap_is_held_against_nobody(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")
    looked = node.now
    node.run_behind_the_shim(sandbox, "perhaps", hook=False, not_before=looked)
    node.run_behind_the_shim(sandbox, "perhaps-too")
    node.gap("queue_full")

    assert kinds(node) == [Kind.GAP]


def test_what_a_hook_saw_before_anybody_watched_is_held_against_nobody(
    node: SyntheticNode,
) -> None:
    sandbox = node.run_pod("web")
    node.stop_daemon()
    node.wait(30)
    seen = node.now
    node.wait(30)
    node.start_daemon()
    node.run_behind_the_shim(sandbox, "stranger")
    last = node.decoded()[-1].event
    assert isinstance(last, ContainerWitnessed)
    node.records.pop()
    node.say(msgspec.structs.replace(last, hook_time=seen))

    assert kinds(node) == [Kind.UNWATCHED]


def test_what_a_hook_saw_before_the_first_record_is_held_against_nobody() -> None:
    node = SyntheticNode()
    node.wait(60)
    seen = node.now
    node.wait(60)
    node.start_daemon()
    node.run_behind_the_shim(node.run_pod("web"), "stranger")
    last = node.decoded()[-1].event
    assert isinstance(last, ContainerWitnessed)
    node.records.pop()
    node.say(msgspec.structs.replace(last, hook_time=seen))

    assert kinds(node) == []


def test_a_record_of_the_hook_that_comes_late_withdraws_that_it_is_missing(
    node: SyntheticNode,
) -> None:
    sandbox = node.run_pod("web")
    node.run_container(sandbox, "app")
    witnessed = next(
        one.event for one in node.decoded() if isinstance(one.event, ContainerWitnessed)
    )
    late = node.run_container(sandbox, "late", hook=False)
    assert kinds(node) == [Kind.HOOK_MISSING]

    ref = msgspec.structs.replace(witnessed.container, container_id=late, name="late")
    node.say(msgspec.structs.replace(witnessed, container=ref))

    assert kinds(node) == []


def test_a_hook_that_never_saw_anything_is_one_finding_for_the_node(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")
    for name in ("a", "b", "c"):
        node.run_container(sandbox, name, hook=False)

    one = the_only(node)

    assert (one.kind, one.pod, one.count) == (Kind.HOOK_MISSING, None, 3)
    assert one.summary == "3 started, and the hook never saw one: it is not installed"


def test_a_process_that_moved_into_the_hosts_is_worse_than_elsewhere(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web")
    app, log = (node.run_container(sandbox, name) for name in ("app", "log"))
    node.move(app, PID, to="host")
    node.move(log, NET)

    found = inspect(node.decoded())

    assert [one.kind for one in found] == [Kind.NAMESPACE_CHANGED, Kind.NAMESPACE_CHANGED]
    assert [one.severity for one in found] == [Severity.HIGH, Severity.MEDIUM]
    assert [one.summary for one in found] == [
        "moved to another pid namespace, the node's",
        "moved to another net namespace",
    ]


@pytest.mark.parametrize(
    ("ending", "of_sandbox", "of_container"),
    [
        (Ending.STOPPED, [], []),
        (Ending.EXITED, [Kind.PROCESS_GONE], []),
        (Ending.PROCESS_GONE, [Kind.PROCESS_GONE], [Kind.PROCESS_GONE]),
        (Ending.VANISHED, [Kind.SHIM_BYPASSED], [Kind.SHIM_BYPASSED]),
    ],
)
def test_how_something_ended_may_be_a_finding(
    ending: Ending, of_sandbox: list[Kind], of_container: list[Kind]
) -> None:
    for of_pod, expected in ((True, of_sandbox), (False, of_container)):
        node = SyntheticNode()
        node.start_daemon()
        sandbox = node.run_pod("web")
        pod, container = node.containers[node.run_container(sandbox, "app")]
        looked, source = node.now, Source.RECONCILE
        if of_pod:
            node.say(PodStopped(source=source, not_before=looked, pod=pod, ending=ending))
        else:
            node.say(
                ContainerStopped(
                    source=source,
                    not_before=looked,
                    pod=pod,
                    container=container,
                    ending=ending,
                )
            )

        found = inspect(node.decoded())

        assert [one.kind for one in found] == expected
        assert not any(one.ongoing for one in found)


def test_gaps_of_one_reason_are_one_finding_and_the_spools_are_their_own(
    node: SyntheticNode,
) -> None:
    node.gap("queue_full", count=3)
    node.gap("queue_full", count=4)
    node.gap("spool_unfinished", count=2)

    full, spool = inspect(node.decoded())

    assert (full.kind, full.summary, full.count) == (Kind.GAP, "7 missed: queue_full", 7)
    assert (spool.kind, spool.summary) == (
        Kind.SPOOL_QUARANTINED,
        "2 set aside in the spool: unfinished",
    )


def test_a_ledger_that_someone_else_wrote_to_is_a_finding(node: SyntheticNode) -> None:
    node.say(
        SegmentAltered(
            source=Source.DAEMON,
            alteration=Alteration.TRUNCATED,
            segment="00000001.jsonl",
            at_seq=2,
        )
    )

    assert the_only(node).summary == "00000001.jsonl was truncated by someone else"


def test_a_daemon_that_was_killed_is_worse_than_one_that_was_stopped(node: SyntheticNode) -> None:
    node.start_daemon()
    node.stop_daemon()
    node.start_daemon()

    assert [(one.severity, one.summary) for one in inspect(node.decoded())] == [
        (Severity.MEDIUM, "nobody watched: nsledger serve was killed"),
        (Severity.LOW, "nobody watched: nsledger serve was stopped"),
    ]


def test_a_reboot_ends_all_that_went_on(node: SyntheticNode) -> None:
    node.run_container(node.run_pod("web"), "app", joins={NET: "host"})
    node.reboot()
    node.start_daemon()

    assert not any(one.ongoing for one in inspect(node.decoded()))


def test_asking_twice_gives_the_same_answer() -> None:
    inspection = Inspection()
    for record in odd_node().decoded():
        inspection.apply(record)

    assert inspection.findings() == inspection.findings() == inspect(odd_node().decoded())


def test_findings_read_back_from_json_as_they_were() -> None:
    found = inspect(odd_node().decoded())

    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Finding]) == found


def test_most_of_a_ledger_is_not_removed_within_a_day_without_a_finding() -> None:
    def of(through: int, *, kept: int) -> list[Finding]:
        node = SyntheticNode()
        node.create_ledger()
        for _ in range(through + kept - 1):
            node.wait(1)
            node.gap("x")
        node.say(
            LedgerPruned(
                source=Source.DAEMON,
                rule=PruneRule.MAX_AGE,
                from_seq=1,
                through_seq=through,
                digest="0" * 64,
                segments=1,
                size_bytes=1,
            )
        )
        return [one for one in inspect(node.decoded()) if one.kind is Kind.LEDGER_PRUNED]

    assert of(10, kept=90) == []
    (found,) = of(90, kept=10)
    assert found.severity is Severity.MEDIUM
    assert found.summary == "90 of 100 records were removed within a day by max_age"


@pytest.mark.parametrize("not_before", [True, False])
@pytest.mark.parametrize("killed", [True, False])
def test_what_ended_while_nobody_watched_was_asked_for_by_somebody_perhaps(
    node: SyntheticNode, *, killed: bool, not_before: bool
) -> None:
    pod = node.pods[node.run_pod("web")]
    looked = node.now
    if not killed:
        node.stop_daemon()
    node.wait(60)
    node.start_daemon()
    node.say(
        PodStopped(
            source=Source.RECONCILE,
            not_before=looked if not_before else "",
            pod=pod,
            ending=Ending.EXITED,
        )
    )

    assert kinds(node) == [Kind.UNWATCHED]


@pytest.mark.parametrize("watched", [True, False])
def test_an_end_that_is_dated_is_held_against_who_watched_then(
    node: SyntheticNode, *, watched: bool
) -> None:
    pod = node.pods[node.run_pod("web")]
    node.wait(60)
    node.stop_daemon()
    node.wait(60)
    in_the_hole = node.now
    node.wait(60)
    node.start_daemon()
    node.wait(60)
    ended_at = node.now if watched else in_the_hole
    node.wait(1)
    node.say(
        PodStopped(
            source=Source.RECONCILE,
            pod=pod,
            ending=Ending.EXITED,
            ended_at=ended_at,
            dated_by=DatedBy.KERNEL,
        )
    )

    found = [one for one in inspect(node.decoded()) if one.kind is Kind.PROCESS_GONE]

    assert [one.first_time for one in found] == ([ended_at] if watched else [])


def test_a_pod_that_is_removed_past_a_watching_shim_is_a_finding_and_one_only(
    node: SyntheticNode,
) -> None:
    pod = node.pods[node.run_pod("web")]
    other = node.pods[node.run_pod("other")]
    looked, source = node.now, Source.RECONCILE
    node.wait(30)
    exited = Ending.EXITED
    node.say(PodStopped(source=source, not_before=looked, pod=pod, ending=exited))
    node.say(PodRemoved(source=source, not_before=looked, pod=pod))
    node.say(PodStopped(source=source, not_before=looked, pod=other, ending=Ending.VANISHED))
    node.say(PodRemoved(source=source, not_before=looked, pod=other))

    found = inspect(node.decoded())

    bypassed = [one for one in found if one.kind is Kind.SHIM_BYPASSED]
    assert [(one.pod and one.pod.name, one.count) for one in bypassed] == [("web", 1), ("other", 1)]
