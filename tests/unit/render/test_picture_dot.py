from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from nsledger.render import diagram_dot
from nsledger.render.diagram import hosts_types
from tests import golden
from tests.drawing import hostile_node, picture_of
from tests.synthetic_node import IPC, NET, USER, example_node, odd_node

GOLDEN = Path(__file__).parent / "golden"


def graphviz(text: str) -> dict[str, list[dict[str, object]]]:
    """What Graphviz takes it for."""
    done = subprocess.run(
        ["dot", "-Tdot_json"], input=text.encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
    read: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return read


def test_the_example_looks_as_it_did() -> None:
    text = diagram_dot.draw(picture_of(example_node()))

    golden.check(GOLDEN / "picture-example.dot", text.splitlines())


def test_where_things_went_wrong_it_looks_as_it_did() -> None:
    text = diagram_dot.draw(picture_of(odd_node(), "odd", "sealed"))

    golden.check(GOLDEN / "picture-odd.dot", text.splitlines())


def test_of_a_type_that_is_asked_for_the_hosts_is_drawn_too() -> None:
    text = diagram_dot.draw(picture_of(example_node(), "web"), [USER])

    assert text.count("-- host") == 3
    assert "net" not in text


def test_what_two_pods_share_stands_outside_of_both_with_a_sign() -> None:
    node = example_node()
    victim, spy = node.run_pod("victim"), node.run_pod("spy")
    node.run_container(spy, "shell", joins={NET: victim})

    lines = diagram_dot.draw(picture_of(node, "victim", "spy"), [NET, IPC]).splitlines()

    (shared,) = [line for line in lines if '"\u2260 net"' in line]
    assert shared.startswith("  s")  # two spaces more within a pod


@pytest.mark.graphviz
def test_graphviz_reads_what_was_meant() -> None:
    drawn = picture_of(odd_node())

    read = graphviz(diagram_dot.draw(drawn))

    names = [one["label"] for one in read["objects"] if str(one["name"]).startswith("p")]
    assert len(names) == len(list(drawn.members()))
    assert len(read["edges"]) == sum(len(one.members) for one in drawn.shared_groups()) + len(
        drawn.in_hosts(hosts_types(drawn, []))
    )


@pytest.mark.graphviz
def test_a_hostile_name_is_a_label_and_nothing_else() -> None:
    drawn = picture_of(hostile_node())

    read = graphviz(diagram_dot.draw(drawn))

    assert not any("URL" in one or "href" in one for one in read["objects"])
    processes = [one for one in read["objects"] if str(one["name"]).startswith("p")]
    assert len(processes) == len(list(drawn.members()))
