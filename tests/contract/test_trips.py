"""How many files one reads to follow a piece of work, counted by `tools/files_crossed.py`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nsledger.cli.main import run
from tests.contract.golden_ledger import VECTORS
from tools.files_crossed import crossed

MOST_OF_WHOIS = 35


def test_whois_on_a_small_ledger_crosses_no_more_files_than_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ledger = str(shutil.copytree(VECTORS / "plain/ledger", tmp_path / "ledger"))
    assert run(["reindex", "--ledger", ledger]) == 0
    capsys.readouterr()

    files = crossed(lambda: run(["whois", "4026532284", "--ledger", ledger]))

    assert "default/after" in capsys.readouterr().out
    assert len(files) <= MOST_OF_WHOIS, sorted(files)
