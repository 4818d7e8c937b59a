from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from nsledger.render import svg
from tests import golden
from tests.drawing import hostile_node, picture_of
from tests.synthetic_node import NET, PID, SyntheticNode, example_node, odd_node

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(node: SyntheticNode, *names: str) -> ET.Element:
    # It is our own, and no entity is in it.
    return ET.fromstring(svg.draw(picture_of(node, *names)))  # noqa: S314


def texts(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


def test_the_example_looks_as_it_did() -> None:
    text = svg.draw(picture_of(example_node()))

    golden.check(GOLDEN / "picture-example.svg", text.splitlines())


def test_each_process_has_a_row_and_each_type_a_cell() -> None:
    said = texts(drawn(example_node(), "web"))

    assert said[0] == "default/web"
    assert said[1:9] == ["net", "ipc", "uts", "pid", "mnt", "user", "cgroup", "time"]
    assert said[18:27] == [
        *("app", "A pod", "B pod", "C pod", "private"),
        *("private", "\u25b2 host", "private", "\u25b2 host"),
    ]


def test_where_layers_disagree_a_sign_says_so_beside_the_colour() -> None:
    root = drawn(odd_node(), "odd")

    assert "\u2260 \u25b2 host" in texts(root)
    assert any(one.get("class") == "bad" for one in root.iter(f"{SVG}rect"))


def test_a_process_that_moved_has_a_sign() -> None:
    node = example_node()
    node.move(node.run_container(node.run_pod("moving"), "app"), PID, to="host")

    assert "* \u25b2 host" in texts(drawn(node, "moving"))


def test_neighbours_in_one_namespace_grow_together() -> None:
    root = ET.fromstring(svg.draw(picture_of(example_node(), "web"), [NET]))  # noqa: S314

    rounded = [one for one in root.iter(f"{SVG}rect") if one.get("rx")]
    ends = [(int(one.get("y", "")), int(one.get("height", ""))) for one in rounded]

    assert all(top + height == below for (top, height), (below, _) in itertools.pairwise(ends))


def test_a_hostile_name_is_text_and_the_picture_asks_for_nothing() -> None:
    root = drawn(hostile_node())

    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {
        *("svg", "title", "desc", "style", "rect", "text"),
    }
    assert all(text.isprintable() for text in texts(root))
    everything = svg.draw(picture_of(hostile_node()))
    assert not re.search(r"\b(href|src|on\w+)=|url\(|@import", re.sub(r">[^<]*<", "><", everything))
