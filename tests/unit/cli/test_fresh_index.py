from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.cli import reading_index
from nsledger.cli.reading_index import FreshIndex
from tests import ledgers
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
        monkeypatch.setattr(reading_index, name, 0)


def test_it_is_the_same_as_long_as_the_ledger_is(ledger: Path) -> None:
    with FreshIndex(str(ledger)) as fresh:
        assert fresh.get() is fresh.get()


def test_it_goes_on_with_the_ledger(ledger: Path) -> None:
    with FreshIndex(str(ledger)) as fresh:
        before = fresh.get().reached.seq
        ledgers.write(ledger, [1])

        assert fresh.get().reached.seq == before + 1


def test_it_is_kept_for_a_while_whatever_becomes_of_the_ledger(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_index, "_KEPT_S", 60)
    with FreshIndex(str(ledger)) as fresh:
        first = fresh.get()
        ledgers.write(ledger, [1])

        assert fresh.get() is first


@pytest.mark.parametrize(("quick_s", "kept"), [(60.0, False), (0.0, True)])
def test_while_nobody_asks_only_one_that_took_long_is_kept(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, quick_s: float, *, kept: bool
) -> None:
    monkeypatch.setattr(reading_index, "_QUICK_S", quick_s)
    with FreshIndex(str(ledger)) as fresh:
        first = fresh.get()
        fresh.rest()

        assert (fresh.get() is first) is kept
