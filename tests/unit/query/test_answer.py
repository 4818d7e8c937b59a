from __future__ import annotations

from nsledger.model.instants import ALWAYS, Period
from nsledger.model.record import decode, rfc3339
from nsledger.query.targets import parse
from nsledger.query.whois import Answer, Outcome, find
from tests.synthetic_node import HOST_INODES, NET, PID, START_NS, SyntheticNode, example_node


def ask(node: SyntheticNode, asked: str, at: str | None = None) -> Answer:
    return find(
        map(decode, node.lines()),
        parse(asked),
        asked=asked,
        period=Period.moment(at) if at else ALWAYS,
    )


def ino_of(node: SyntheticNode, id_: str) -> int:
    return node.readings[id_].namespaces[NET].ino


def test_a_pods_namespace_is_answered_with_all_who_share_it() -> None:
    node = example_node()
    web, *_ = node.pods

    answer = ask(node, f"net:[{ino_of(node, web)}]")

    assert answer.outcome is Outcome.ONE_POD
    assert [one.owner.container.name for one in answer.intervals] == ["", "app", "sidecar"]
    assert [one.evidence for one in answer.intervals] == [(4,), (7, 8), (11, 12)]


def test_the_hosts_namespace_is_the_hosts_whoever_sits_in_it() -> None:
    answer = ask(example_node(), f"net:[{HOST_INODES[NET]}]")

    assert answer.outcome is Outcome.HOST
    assert {one.owner.pod.name for one in answer.intervals} == {"", "node-agent-x7k2p"}


def test_what_is_not_on_record_is_unknown_and_never_a_guess() -> None:
    answer = ask(example_node(), "net:[4026539999]")

    assert answer.outcome is Outcome.UNKNOWN
    assert answer.reason == "no record"
    assert answer.intervals == ()


def test_an_empty_ledger_knows_nothing_and_says_why() -> None:
    assert ask(SyntheticNode(), "1").reason == "the ledger is empty"


def test_before_the_first_record_nothing_is_known_and_it_says_so() -> None:
    node = example_node()
    web, *_ = node.pods

    answer = ask(node, str(ino_of(node, web)), at=rfc3339(START_NS - 1))

    assert answer.outcome is Outcome.UNKNOWN
    assert answer.reason.startswith("the ledger begins at 2026-11-24T")


def test_a_moment_has_the_owner_of_that_moment() -> None:
    node = SyntheticNode()
    node.start_daemon()
    first = node.run_pod("first")
    ino = ino_of(node, first)
    then = node.now
    node.stop_pod(first)
    between = node.now
    node.wait(1)
    second = node.run_pod("second")
    assert ino_of(node, second) == ino

    always = ask(node, f"net:[{ino}]")

    assert always.outcome is Outcome.SEVERAL_PODS
    assert ask(node, f"net:[{ino}]", at=then).intervals[0].owner.pod.name == "first"
    assert ask(node, f"net:[{ino}]", at=node.now).intervals[0].owner.pod.name == "second"
    assert ask(node, f"net:[{ino}]", at=between).outcome is Outcome.UNKNOWN


def test_a_moment_that_nobody_watched_is_said() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.stop_daemon()
    node.wait(30)
    then = node.now
    node.wait(30)
    node.start_daemon()

    answer = ask(node, "net:[4026532254]", at=then)

    assert answer.outcome is Outcome.UNKNOWN
    assert "nsledger serve was stopped" in answer.reason
    assert len(answer.unwatched) == 1


def test_holes_are_told_where_nobody_is_named_and_not_where_someone_is() -> None:
    node = example_node()
    web, *_ = node.pods
    node.gap("queue_full")

    assert ask(node, f"net:[{ino_of(node, web)}]").unwatched == ()
    assert len(ask(node, "net:[4026539999]").unwatched) == 1


def test_a_pid_is_answered_with_its_eight_namespaces() -> None:
    node = example_node()
    web, *_ = node.pods
    pid = node.readings[web].pid

    assert len(ask(node, f"pid:{pid}").intervals) == 8
    assert [one.type for one in ask(node, f"/proc/{pid}/ns/pid").intervals] == [PID]


def test_after_the_last_record_the_unknown_says_when_that_was() -> None:
    node = example_node()

    answer = ask(node, "1234567", at=rfc3339(node.now_ns + 10**9))

    assert answer.reason == f"no record; the last one is of {node.now}"
