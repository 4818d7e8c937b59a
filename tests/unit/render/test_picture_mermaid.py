from __future__ import annotations

import re
from pathlib import Path

from nsledger.render import mermaid
from tests import golden
from tests.drawing import hostile_node, picture_of
from tests.synthetic_node import NET, example_node, odd_node

GOLDEN = Path(__file__).parent / "golden"

LABEL = r'"[A-Za-z0-9 _./#;-]*(?:<br>alone: [a-z ]+)?"'
LINES = re.compile(
    rf"""flowchart\ LR
    | \s+ subgraph\ p\d+\ \[{LABEL}\]
    | \s+ p\d+r\d+ \[{LABEL}\] (:::sandbox)?
    | \s+ s\d+ \(\[{LABEL}\]\) :::(shared|bad)
    | \s+ host \{{\{{{LABEL}\}}\}} :::host
    | \s+ p\d+r\d+\ ---\ s\d+
    | \s+ p\d+r\d+\ ---\|{LABEL}\|\ host
    | \s+ classDef\ [a-z]+\ [-a-z0-9:,\#\ ]+
    | \s+ end
    """,
    re.VERBOSE,
)


def test_the_example_looks_as_it_did() -> None:
    text = mermaid.draw(picture_of(example_node()))

    golden.check(GOLDEN / "picture-example.mmd", text.splitlines())


def test_every_line_is_one_that_mermaid_knows_whatever_the_names_are() -> None:
    for node in (example_node(), odd_node(), hostile_node()):
        lines = mermaid.draw(picture_of(node)).splitlines()

        for line in lines:
            assert LINES.fullmatch(line), line
        opened = sum(1 for line in lines if line.lstrip().startswith("subgraph"))
        assert opened == lines.count("  end")


def test_every_node_of_an_edge_is_declared_once() -> None:
    text = mermaid.draw(picture_of(odd_node()))

    declared = re.findall(r"^ +(p\d+r\d+|s\d+|host)[\[({]", text, re.MULTILINE)
    edges = re.findall(r"^ +(p\d+r\d+) ---(?:\|[^|]*\|)? (s\d+|host)$", text, re.MULTILINE)

    assert len(declared) == len(set(declared))
    assert {end for edge in edges for end in edge} <= set(declared)


def test_what_two_pods_share_has_a_sign() -> None:
    node = example_node()
    victim, spy = node.run_pod("victim"), node.run_pod("spy")
    node.run_container(spy, "shell", joins={NET: victim})

    text = mermaid.draw(picture_of(node, "victim", "spy"), [NET])

    assert '(["#8800; net"]):::bad' in text
