from __future__ import annotations

import msgspec
import pytest

from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.state.matrix import pod_matrix
from nsledger.state.pod_summary import PodFilter, PodLine, pod_lines
from tests.synthetic_node import (
    CGROUP,
    IPC,
    NET,
    PID,
    TIME,
    USER,
    UTS,
    SyntheticNode,
    example_node,
    odd_node,
)


def lines(node: SyntheticNode, wanted: PodFilter) -> list[PodLine]:
    workloads = node.folded()
    return pod_lines((pod_matrix(pod, workloads.host) for pod in workloads.pods.values()), wanted)


def names(node: SyntheticNode, wanted: PodFilter) -> list[str]:
    return [line.pod.name for line in lines(node, wanted)]


def test_those_that_run_are_listed_by_name_and_those_that_are_gone_if_wanted() -> None:
    node = example_node()

    assert names(node, PodFilter()) == ["debug", "web", "node-agent-x7k2p"]
    assert names(node, PodFilter(ended=True)) == ["debug", "job-29184", "web", "node-agent-x7k2p"]


def test_a_line_tells_the_hosts_namespaces_and_the_verdict() -> None:
    (line,) = lines(example_node(), PodFilter(k8s_namespaces=["kube-*"]))

    assert line.host == (NET, IPC, UTS, PID, USER, TIME)
    assert line.sharing[CGROUP] == ("private",)
    assert (line.verdict, line.containers) == (Verdict.MATCH, ("agent",))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (PodFilter(sharings=["host"], types=[NET]), ["node-agent-x7k2p"]),
        (PodFilter(sharings=["host"], types=[PID]), ["odd", "node-agent-x7k2p"]),
        (PodFilter(sharings=["container"]), ["odd"]),
        (PodFilter(sharings=["unknown"]), ["sealed"]),
        (PodFilter(sharings=["pod"], types=[PID]), ["debug"]),
        (PodFilter(verdicts=[Verdict.UNOBSERVABLE]), ["sealed"]),
        (PodFilter(verdicts=[Verdict.MISMATCH]), ["odd"]),
        (PodFilter(verdicts=[Verdict.MISMATCH], types=[NET]), []),
        (PodFilter(k8s_namespaces=["nowhere"]), []),
    ],
)
def test_filters_look_for_one_process_that_is_so(wanted: PodFilter, expected: list[str]) -> None:
    assert names(odd_node(), wanted) == expected


def test_the_worst_verdict_counts_and_only_of_the_types_looked_at() -> None:
    worst = {line.pod.name: line.verdict for line in lines(odd_node(), PodFilter())}
    of_net = {line.pod.name: line for line in lines(odd_node(), PodFilter(types=[NET]))}

    assert (worst["odd"], worst["web"]) == (Verdict.MISMATCH, Verdict.MATCH)
    assert of_net["odd"].verdict is None  # one that only the hook saw
    assert of_net["node-agent-x7k2p"].host == (NET,)
    assert of_net["odd"].sharing.keys() == {NET}


def test_a_container_that_ended_counts_no_more_beside_living_ones() -> None:
    node = example_node()
    sandbox = node.run_pod("x")
    strayed = node.run_container(sandbox, "strayed", joins={PID: "host"})
    node.run_container(sandbox, "app")
    node.stop_container(strayed)

    line = next(line for line in lines(node, PodFilter()) if line.pod.name == "x")

    assert (line.containers, line.verdict) == (("app",), Verdict.MATCH)
    assert PID not in line.host


def test_a_pod_with_a_process_that_moved_says_in_which_types() -> None:
    node = example_node()
    node.move(node.run_container(node.run_pod("x"), "app"), NamespaceType.PID, to="host")

    line = next(line for line in lines(node, PodFilter()) if line.pod.name == "x")

    assert line.changed == (PID,)


def test_lines_read_back_from_json_as_they_were() -> None:
    every = lines(odd_node(), PodFilter(ended=True))

    assert msgspec.json.decode(msgspec.json.encode(every), type=list[PodLine]) == every
