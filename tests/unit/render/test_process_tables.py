from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.render import layers
from nsledger.render.text import Screen, columns
from nsledger.state.matrix import pod_matrix
from tests import golden
from tests.synthetic_node import SyntheticNode, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot" + "x" * 10_000


def drawn(node: SyntheticNode, name: str, screen: Screen) -> list[str]:
    workloads = node.folded()
    (pod,) = [pod for pod in workloads.pods.values() if pod.ref.name == name]
    return list(layers.draw(pod_matrix(pod, workloads.host), screen))


@pytest.mark.parametrize("width", [80, 120])
def test_the_three_layers_look_as_they_did(width: int) -> None:
    golden.check(GOLDEN / f"layers-{width}.txt", drawn(odd_node(), "odd", Screen(width=width)))


def test_the_three_layers_look_as_they_did_in_colour() -> None:
    lines = drawn(odd_node(), "web", Screen(width=120, color=True))

    golden.check(GOLDEN / "layers-120-color.txt", lines)


def test_what_nobody_could_read_says_why() -> None:
    lines = drawn(odd_node(), "sealed", Screen())

    assert "no host pid" in lines[1]
    assert all("no host pid" in line for line in lines[-8:])


def test_the_kernels_ids_are_shown_where_there_is_room() -> None:
    assert " ID " in drawn(odd_node(), "web", Screen())[2]
    assert " ID " not in "".join(drawn(odd_node(), "web", Screen(width=80)))


def test_a_hostile_name_is_inert() -> None:
    node = odd_node()
    node.run_container(node.run_pod(HOSTILE), HOSTILE)

    lines = drawn(node, HOSTILE, Screen(width=80))

    assert all(line.isprintable() for line in lines)
    assert all(columns(line) <= 80 for line in lines if not line.startswith("\\x1b"))
