from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import programs
from tests.unit.cli.conftest import Nsledger


def completed(words: str, number: int, **env: str) -> list[str]:
    """What bash is offered for the last of `words`."""
    done = subprocess.run(
        [sys.executable, "-m", "nsledger.cli.main"],
        env={
            "PYTHONPATH": str(programs.SHIM),
            "_NSLEDGER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
            **env,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_every_shell(nsledger: Nsledger, shell: str) -> None:
    done = nsledger("completion", shell)

    assert (done.code, done.err) == (0, "")
    assert "_NSLEDGER_COMPLETE" in done.out
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=done.out.encode(), check=True)


def test_a_command_is_completed() -> None:
    assert completed("nsledger who", 1) == ["whois"]


def test_an_option_is_completed() -> None:
    assert "--no-index" in completed("nsledger whois --no", 2)
    assert completed("nsledger whois -o j", 3) == ["json"]


def test_a_pod_is_completed_from_the_ledger(example_ledger: Path, tmp_path: Path) -> None:
    ledger = {"NSLEDGER_LEDGER": str(example_ledger)}

    assert completed("nsledger show w", 2, **ledger) == ["web"]
    assert completed("nsledger explain default/", 2, **ledger) == [
        "default/debug",
        "default/job-29184",
        "default/web",
    ]
    assert completed("nsledger log --pod node", 3, **ledger) == ["node-agent-x7k2p"]
    assert completed("nsledger show w", 2, NSLEDGER_LEDGER=str(tmp_path / "none")) == [""]
