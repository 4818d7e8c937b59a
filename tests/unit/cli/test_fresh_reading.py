from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nsledger.cli import reading as module
from nsledger.cli.reading import FreshReading, Reading
from nsledger.index.records import Records
from tests.synthetic_node import SyntheticNode


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    return node.write(tmp_path / "ledger")


@pytest.fixture(autouse=True)
def _without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_KEPT_S", "_LOOK_AGAIN_S", "_TIMES_ITS_MAKING"):
        monkeypatch.setattr(module, name, 0)


def go_on(ledger: Path) -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    node.gap("queue_full")
    node.write(ledger)


def opened(records: Records) -> sqlite3.Connection:
    return records.database


def end(records: Records) -> int:
    return records.reached.seq


def test_it_is_the_same_as_long_as_the_ledger_is(ledger: Path) -> None:
    with Reading(str(ledger)) as reading:
        fresh = FreshReading(reading)
        assert fresh.ask(opened) is fresh.ask(opened)


def test_it_goes_on_with_the_ledger(ledger: Path) -> None:
    with Reading(str(ledger)) as reading:
        fresh = FreshReading(reading)
        before = fresh.ask(end)
        go_on(ledger)

        assert fresh.ask(end) == before + 1


def test_it_is_kept_for_a_while_whatever_becomes_of_the_ledger(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT_S", 60)
    with Reading(str(ledger)) as reading:
        fresh = FreshReading(reading)
        first = fresh.ask(opened)
        go_on(ledger)

        assert fresh.ask(opened) is first


@pytest.mark.parametrize(("quick_s", "kept"), [(60.0, False), (0.0, True)])
def test_while_nobody_asks_only_one_that_took_long_is_kept(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, quick_s: float, *, kept: bool
) -> None:
    monkeypatch.setattr(module, "_QUICK_S", quick_s)
    with Reading(str(ledger)) as reading:
        fresh = FreshReading(reading)
        first = fresh.ask(opened)
        fresh.rest()

        assert (fresh.ask(opened) is first) is kept
