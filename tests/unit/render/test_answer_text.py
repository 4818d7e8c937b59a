from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.model.instants import ALWAYS, Period
from nsledger.query.targets import parse
from nsledger.query.whois import find
from nsledger.render.text import Screen, columns
from nsledger.render.whois_text import draw
from tests import golden
from tests.synthetic_node import HOST_INODES, NET, SyntheticNode, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot" + "x" * 10_000


def answered(node: SyntheticNode, asked: str, screen: Screen, at: str | None = None) -> list[str]:
    return list(
        draw(
            find(
                node.decoded(),
                parse(asked),
                asked=asked,
                period=Period.moment(at) if at else ALWAYS,
            ),
            screen,
        )
    )


def net_of(node: SyntheticNode, name: str) -> str:
    id_ = next(id_ for id_, pod in node.pods.items() if pod.name == name)
    return f"net:[{node.readings[id_].namespaces[NET].ino}]"


@pytest.mark.parametrize("width", [80, 120])
def test_answers_look_as_they_did(width: int) -> None:
    node = odd_node()
    screen = Screen(width=width)
    pid = node.readings[next(iter(node.pods))].pid
    asked = [net_of(node, "odd"), str(HOST_INODES[NET]), f"pid:{pid}", "net:[4026539999]"]

    lines = [line for one in asked for line in [*answered(node, one, screen), ""]]

    golden.check(GOLDEN / f"answers-{width}.txt", lines)


def test_an_answer_looks_as_it_did_in_colour() -> None:
    node = odd_node()
    screen = Screen(width=120, color=True)

    golden.check(GOLDEN / "answer-color.txt", answered(node, str(HOST_INODES[NET]), screen))


def test_a_number_is_said_in_the_kernels_spelling() -> None:
    node = odd_node()
    bare = net_of(node, "web")[5:-1]

    assert answered(node, bare, Screen())[0] == f"{bare} is {net_of(node, 'web')}: default/web"


def test_the_moment_asked_for_is_repeated() -> None:
    node = odd_node()

    first = answered(node, net_of(node, "web"), Screen(), at="2026-11-24T00:04:00Z")[0]

    assert first.endswith("] at 2026-11-24 00:04:00 UTC: default/web")


def test_owners_of_several_boots_are_told_apart() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.run_pod("before")
    node.reboot()
    node.start_daemon()
    node.run_pod("after")

    lines = answered(node, net_of(node, "after"), Screen())

    assert lines[0].endswith(": 2 pods on record")
    assert "BOOT" in lines[2]
    assert "rebooted" in lines[3]


def test_a_hostile_name_is_inert() -> None:
    node = odd_node()
    node.run_container(node.run_pod(HOSTILE), HOSTILE)

    lines = answered(node, net_of(node, HOSTILE), Screen(width=80))

    assert all(line.isprintable() for line in lines)
    assert all(columns(line) <= 80 for line in lines[1:])
