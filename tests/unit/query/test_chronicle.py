from __future__ import annotations

from nsledger.model.events import DaemonStarted, Source
from nsledger.model.namespaces import NamespaceReading
from nsledger.query.history import History, Span
from nsledger.state.inspection import inspect
from nsledger.state.intervals import End, OwnerKind
from nsledger.state.ownership import intervals
from tests.drawing import chronicle_of
from tests.synthetic_node import PID, TIME, USER, SyntheticNode, example_node, odd_node


def spans_of(node: SyntheticNode, name: str) -> list[Span]:
    return [one for one in chronicle_of(node).spans() if one.owner.pod.name == name]


def test_what_a_process_had_from_beginning_to_end_is_one_span() -> None:
    node = example_node()

    (app,) = [one for one in spans_of(node, "web") if one.owner.container.name == "app"]

    assert (app.until, app.end) == (None, None)
    assert set(app.hosts) == {USER, TIME}
    assert not set(app.namespaces) & {USER, TIME}
    assert len(app.namespaces) == 6


def test_what_ended_says_how() -> None:
    spans = spans_of(example_node(), "job-29184")

    assert {one.owner.kind for one in spans} == {OwnerKind.SANDBOX, OwnerKind.CONTAINER}
    assert {one.end for one in spans} == {End.STOPPED}


def test_a_process_that_moved_has_a_span_before_and_one_after() -> None:
    node = example_node()
    pod = node.run_pod("moving")
    app = node.run_container(pod, "app")
    node.move(app, PID, to="host")

    before, after = [
        one
        for one in spans_of(node, "moving")
        if one.owner.container.name == "app" and (PID in one.namespaces or PID in one.hosts)
    ]

    assert (before.end, before.until) == (End.CHANGED, after.since)
    assert set(before.namespaces) == {PID}
    assert set(after.hosts) == {PID}
    assert after.seen_since


def test_what_a_reboot_ends_was_the_hosts_of_the_boot_before() -> None:
    node = example_node()
    node.reboot()
    node.say(
        DaemonStarted(
            source=Source.DAEMON,
            version="0.1.0",
            pid=612,
            host=NamespaceReading(pid=1),
            host_reference="/proc/1/ns",
        )
    )

    (app,) = [one for one in spans_of(node, "web") if one.owner.container.name == "app"]

    assert app.end is End.REBOOTED
    assert set(app.hosts) == {USER, TIME}


def test_all_that_whois_knows_of_pods_is_in_the_spans() -> None:
    node = odd_node()
    node.run_behind_the_shim(next(iter(node.pods)), "stranger")

    told = {
        (one.owner.process_id, type_, one.since, one.until)
        for one in chronicle_of(node).spans()
        for type_ in (*one.namespaces, *one.hosts)
    }

    assert told == {
        (one.owner.process_id, one.type, one.since, one.until)
        for one in intervals(node.decoded())
        if one.owner.kind is not OwnerKind.HOST
    }


def test_only_of_the_pods_that_are_asked_for_spans_are_kept() -> None:
    node = example_node()
    job = next(id_ for id_, pod in node.folded().pods.items() if pod.ref.name == "job-29184")
    history = History([job])

    for record in node.decoded():
        history.apply(record)

    assert {one.owner.pod.pod_sandbox_id for one in history.spans()} == {job}
    assert len(history.findings()) == 1


def test_findings_and_holes_are_those_of_the_other_commands() -> None:
    node = odd_node()

    history = chronicle_of(node)

    assert history.findings() == inspect(node.decoded())
    assert [one.reason for one in history.holes] == [
        "gap: queue_full (3)",
        "nsledger serve was stopped",
    ]


def test_it_knows_the_node_and_how_far_the_record_goes() -> None:
    node = example_node()

    history = chronicle_of(node)

    assert history.node is not None
    assert history.node.node_name == "node-1"
    assert history.ledger_id == "3f" * 16
    assert history.boot_id == node.boot_id
    assert history.first is not None
    assert history.first[0] == 1
    assert history.last == (len(node.records), node.now)


def test_of_an_empty_ledger_it_knows_nothing() -> None:
    history = History(["x"])

    assert (history.node, history.first, history.last) == (None, None, None)
    assert list(history.spans()) == []
    assert history.findings() == []
    assert not history.facts.host.namespaces
