from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.render import explanation_text
from nsledger.render.explanation import Explanation, explain
from nsledger.render.text import Screen
from nsledger.state.matrix import pod_matrix
from tests import golden
from tests.synthetic_node import SyntheticNode, example_node, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot\x9b31m" + "x" * 10_000


def explained(node: SyntheticNode, name: str) -> Explanation:
    workloads = node.folded()
    (pod,) = [pod for pod in workloads.pods.values() if pod.ref.name == name]
    return explain(pod_matrix(pod, workloads.host))


@pytest.mark.parametrize("name", ["web", "debug", "node-agent-x7k2p", "job-29184"])
@pytest.mark.parametrize("width", [80, 120])
def test_an_explanation_reads_as_it_did(name: str, width: int) -> None:
    lines = explanation_text.draw(explained(example_node(), name), Screen(width=width))

    golden.check(GOLDEN / f"explanation-{name}-{width}.txt", lines)


@pytest.mark.parametrize("name", ["odd", "sealed"])
def test_what_went_wrong_reads_as_it_did_in_colour(name: str) -> None:
    lines = explanation_text.draw(explained(odd_node(), name), Screen(width=120, color=True))

    golden.check(GOLDEN / f"explanation-{name}-120-color.txt", lines)


def test_in_a_pipe_each_sentence_is_one_line_with_its_type() -> None:
    lines = list(explanation_text.draw(explained(example_node(), "web"), Screen(width=None)))

    assert all(line.split()[0].isalpha() and "; record" in line for line in lines)


def test_a_screen_that_can_only_show_ascii_gets_ascii() -> None:
    lines = explanation_text.draw(explained(odd_node(), "odd"), Screen(width=90, unicode=False))

    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize("width", [60, 80, None])
def test_a_hostile_name_is_inert_and_no_line_is_too_long(width: int | None) -> None:
    node = example_node()
    node.run_container(node.run_pod("x"), HOSTILE)

    lines = list(explanation_text.draw(explained(node, "x"), Screen(width=width)))

    assert all(line.isprintable() for line in lines)
    assert width is None or all(len(line) <= width for line in lines)
