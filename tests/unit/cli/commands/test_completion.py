from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests import programs
from tests.unit.cli.conftest import Nsledger


def completed(words: str, number: int) -> list[str]:
    """What bash is offered for the last of `words`."""
    done = subprocess.run(
        [sys.executable, "-m", "nsledger.cli.main"],
        env={
            "PYTHONPATH": str(programs.SHIM),
            "_NSLEDGER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
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
