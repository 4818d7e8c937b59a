from __future__ import annotations

from nsledger.render.matrix import SharingCell, group_color, sharing_cell
from nsledger.render.text import Screen, Tone
from nsledger.state.matrix import pod_matrix
from tests.synthetic_node import MNT, NET, PID, USER, SyntheticNode, odd_node


def cells(node: SyntheticNode, pod_name: str, name: str) -> dict[str, SharingCell]:
    workloads = node.folded()
    (pod,) = [pod for pod in workloads.pods.values() if pod.ref.name == pod_name]
    matrix = pod_matrix(pod, workloads.host, all_attempts=True)
    process = next(one for one in matrix.processes if one.name == name)
    return {type_: sharing_cell(process, type_, Screen()) for type_ in process.namespaces}


def test_the_hosts_is_red_and_louder_where_a_pod_asked_for_it() -> None:
    of_agent = cells(odd_node(), "node-agent-x7k2p", "agent")

    assert of_agent[NET] == SharingCell("\u25b2", "host", Tone.HOST)
    assert of_agent[USER] == SharingCell("\u25b2", "host", Tone.FAILED)


def test_what_a_sandbox_has_and_nobody_joined_is_its_own() -> None:
    of_sandbox = cells(odd_node(), "web", "sandbox")

    assert of_sandbox[NET].word == "pod"
    assert of_sandbox[MNT].word == "own"


def test_what_was_private_until_a_debugger_came_is_shared() -> None:
    node = odd_node()

    assert cells(node, "odd", "unhooked")[PID].word == "shared"
    assert cells(node, "odd", "debugger")[PID].word == "container:unhooked"
    assert cells(node, "odd", "debugger")[PID].sign == cells(node, "odd", "unhooked")[PID].sign


def test_what_was_not_seen_is_a_question_mark() -> None:
    assert cells(odd_node(), "sealed", "sandbox")[NET].word == "?"


def test_there_is_a_colour_for_every_letter() -> None:
    assert all(group_color(letter) for letter in ("A", "Z", "AA"))
