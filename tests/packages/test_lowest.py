"""What pyproject.toml allows at the lowest is enough."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import LOWEST

ROOT = Path(__file__).parents[2]
WHERE_DEPENDENCIES_ARE_USED = ("cli", "cri", "daemon", "ledger", "model", "node", "render")


def test_the_lowest_pins_are_the_lowest_that_are_allowed() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = dict(
        re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(told["dependencies"]), re.MULTILINE)
    )
    pins = (ROOT / "requirements/lowest.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)", pins, re.MULTILINE))

    assert len(allowed) == len(told["dependencies"])
    assert {name: numbers(pinned[name]) for name in allowed} == {
        name: numbers(version) for name, version in allowed.items()
    }


def numbers(version: str) -> tuple[int, int, int]:
    """Its first three: `43` is `43.0.0`."""
    first, second, third = (*map(int, version.split(".")), 0, 0)[:3]
    return first, second, third


@pytest.mark.lowest
def test_the_unit_tests_pass_on_the_lowest_releases() -> None:
    directories = [f"tests/unit/{name}" for name in WHERE_DEPENDENCIES_ARE_USED]
    done = subprocess.run(
        [LOWEST, "-m", "pytest", "-q", "-p", "no:cacheprovider", *directories],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )

    assert done.returncode == 0, done.stdout[-8000:]
