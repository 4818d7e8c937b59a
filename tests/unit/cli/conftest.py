"""A ledger to read, and a way to run a command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nsledger.cli.main import run
from tests.synthetic_node import example_node, odd_node


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Nsledger = Callable[..., Done]


@pytest.fixture(scope="session")
def example_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of `example_node`; not to be written."""
    return example_node().write(tmp_path_factory.mktemp("example") / "ledger")


@pytest.fixture(scope="session")
def odd_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of `odd_node`; not to be written."""
    return odd_node().write(tmp_path_factory.mktemp("odd") / "ledger")


@pytest.fixture
def nsledger(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, example_ledger: Path
) -> Nsledger:
    """Run `nsledger`, by default on the example's ledger."""
    monkeypatch.setenv("NSLEDGER_LEDGER", str(example_ledger))
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def nsledger(*arguments: str) -> Done:
        capfd.readouterr()
        code = run(arguments)
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return nsledger
