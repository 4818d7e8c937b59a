from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path

import pytest

from nsledger.render.log_table import LogTable
from nsledger.render.text import Screen, columns
from tests import golden
from tests.synthetic_node import SyntheticNode, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot\x9b31m" + "x" * 10_000


def table(node: SyntheticNode, screen: Screen, *, wide: bool = False) -> list[str]:
    drawn = LogTable(screen, wide=wide)
    return [line for record in node.decoded() for line in drawn.lines(record)]


@pytest.mark.parametrize("width", [80, 120, None])
def test_a_log_looks_as_it_did(width: int | None) -> None:
    golden.check(GOLDEN / f"log-{width or 'pipe'}.txt", table(odd_node(), Screen(width=width)))


def test_a_log_looks_as_it_did_in_colour() -> None:
    golden.check(GOLDEN / "log-120-color.txt", table(odd_node(), Screen(width=120, color=True)))


def test_a_wide_log_looks_as_it_did() -> None:
    golden.check(GOLDEN / "log-wide.txt", table(odd_node(), Screen(width=120), wide=True))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_longer_than_the_screen(width: int) -> None:
    assert all(columns(line) <= width for line in table(odd_node(), Screen(width=width)))


def test_a_date_stands_before_the_first_record_of_each_day_in_the_zone_shown() -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.wait(3600)
    node.start_daemon()
    zone = timezone(-timedelta(minutes=30), "HALF")

    lines = table(node, Screen(width=80, zone=zone))

    assert [line for line in lines if line.endswith("HALF")] == [
        "2026-11-23 HALF",
        "2026-11-24 HALF",
    ]


def test_in_a_pipe_every_line_has_its_date() -> None:
    titles, *lines = table(odd_node(), Screen())

    assert titles.startswith("TIME (UTC) ")
    assert all(line.startswith("2026-11-24 ") for line in lines)


def test_a_hostile_name_is_inert_and_moves_nothing() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.run_container(node.run_pod(HOSTILE, k8s_namespace=HOSTILE), HOSTILE)

    for screen in (Screen(width=80), Screen()):
        for wide in (False, True):
            assert all(line.isprintable() for line in table(node, screen, wide=wide))
    assert all(columns(line) <= 80 for line in table(node, Screen(width=80)))
