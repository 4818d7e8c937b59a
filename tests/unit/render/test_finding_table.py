from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.render import finding_table
from nsledger.render.text import Screen, columns
from nsledger.state.inspection import inspect
from tests import golden
from tests.synthetic_node import PID, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot\x9b31m" + "x" * 10_000
FOUND = inspect(odd_node().decoded())


@pytest.mark.parametrize(
    ("name", "screen"),
    [
        ("80", Screen(width=80)),
        ("120-color", Screen(width=120, color=True)),
        ("ascii", Screen(width=100, unicode=False)),
    ],
)
def test_findings_look_as_they_did(name: str, screen: Screen) -> None:
    golden.check(GOLDEN / f"findings-{name}.txt", finding_table.draw(FOUND, screen))


def test_wide_has_one_line_for_each() -> None:
    golden.check(GOLDEN / "findings-wide.txt", finding_table.draw_wide(FOUND, Screen()))


def test_what_to_do_is_told_once_for_each_kind() -> None:
    text = "\n".join(finding_table.draw(FOUND, Screen(width=80)))

    _, _, remedies = text.partition("What to do\n")
    assert remedies.count("host_namespace:") == 1


def test_no_findings_are_no_lines() -> None:
    assert list(finding_table.draw([], Screen())) == []
    assert list(finding_table.draw_wide([], Screen())) == []


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_hostile_name_is_inert_and_takes_one_line(width: int) -> None:
    node = odd_node()
    node.run_container(node.run_pod(HOSTILE), HOSTILE, joins={PID: "host"})

    for line in finding_table.draw(inspect(node.decoded()), Screen(width=width)):
        assert line.isprintable()
        assert columns(line) <= width
