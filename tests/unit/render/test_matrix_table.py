from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.render import matrix as matrix_table
from nsledger.render import pods
from nsledger.render.text import Screen, columns
from nsledger.state.matrix import Matrix, pod_matrix
from tests import golden
from tests.synthetic_node import SyntheticNode, example_node, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot\x9b31m" + "x" * 10_000


def matrix_of(node: SyntheticNode, name: str) -> Matrix:
    workloads = node.folded()
    (pod,) = [pod for pod in workloads.pods.values() if pod.ref.name == name]
    return pod_matrix(pod, workloads.host)


def drawn(matrix: Matrix, screen: Screen) -> list[str]:
    return [*pods.draw_pod_heading(matrix, screen), "", *matrix_table.draw(matrix, screen)]


@pytest.mark.parametrize("name", ["web", "debug", "node-agent-x7k2p", "job-29184"])
@pytest.mark.parametrize("width", [80, 120])
def test_a_pod_looks_as_it_did(name: str, width: int) -> None:
    lines = drawn(matrix_of(example_node(), name), Screen(width=width))

    golden.check(GOLDEN / f"matrix-{name}-{width}.txt", lines)


@pytest.mark.parametrize("name", ["odd", "sealed"])
def test_a_pod_where_things_went_wrong_looks_as_it_did_in_colour(name: str) -> None:
    lines = drawn(matrix_of(odd_node(), name), Screen(width=120, color=True))

    golden.check(GOLDEN / f"matrix-{name}-120-color.txt", lines)


def test_a_screen_that_can_only_show_ascii_gets_ascii() -> None:
    lines = drawn(matrix_of(odd_node(), "odd"), Screen(width=120, unicode=False))

    assert all(line.isascii() for line in lines)
    golden.check(GOLDEN / "matrix-odd-120-ascii.txt", lines)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_longer_than_the_screen(width: int) -> None:
    for node in (example_node(), odd_node()):
        for name in ("web", "debug", "node-agent-x7k2p"):
            for line in drawn(matrix_of(node, name), Screen(width=width)):
                assert columns(line) <= width, line


@pytest.mark.parametrize("width", [80, 120, None])
def test_a_hostile_name_is_inert_and_takes_no_more_than_its_column(width: int | None) -> None:
    node = example_node()
    sandbox = node.run_pod(HOSTILE)
    node.run_container(sandbox, HOSTILE)

    lines = drawn(matrix_of(node, HOSTILE), Screen(width=width))

    assert all(line.isprintable() for line in lines)
    assert all(columns(line) <= (width or 120) for line in lines[2:])


def test_without_colour_every_sign_is_still_there() -> None:
    matrix = matrix_of(odd_node(), "odd")

    text = "\n".join(matrix_table.draw(matrix, Screen(width=120)))

    assert "\u2260 \u25b2 host" in text
    assert "A pod" in text
    assert "\u2260 strayed pid: requested CONTAINER, got host" in text
    assert "1 earlier attempt not shown (--all)" in text


def test_a_process_that_moved_is_marked_and_its_record_named() -> None:
    node = example_node()
    odd = node.run_pod("moving")
    app = node.run_container(odd, "app")
    node.move(app, NamespaceType.PID, to="host")

    text = "\n".join(matrix_table.draw(matrix_of(node, "moving"), Screen(width=120)))

    assert "* \u25b2 host" in text
    assert "* changed since it started" in text
    assert f"* app pid: changed, record {len(node.records)}" in text
