"""No test that CI did not expect to skip passes unseen (tests/conftest.py)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
ROOT = CONFTEST.parents[1]

TESTS = """
import pytest

@pytest.mark.nowhere
def test_marked(): pass

def test_by_itself(): pytest.skip("not installed: it")

def test_expected(): pytest.skip("mount: no loop device")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A test suite with our conftest.py, and a marker for which every machine lacks something."""
    text = CONFTEST.read_text(encoding="utf-8")
    lacks = 'REASONS_TO_SKIP["nowhere"] = lambda: "there is no such machine"\n'
    (tmp_path / "conftest.py").write_text(text + lacks)
    (tmp_path / "test_suite.py").write_text(TESTS)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def outcomes(suite: Path, *options: str, **environment: str) -> dict[str, int]:
    """How many tests ended how."""
    markers = ("-o", "markers=nowhere: nowhere", "-o", "pythonpath=")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *markers, *options, suite],
        check=False,
        capture_output=True,
        text=True,
        cwd=suite,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environment},
    )
    *_, last = done.stdout.splitlines()
    counted = [word.split() for word in last.partition(" in ")[0].split(", ")]
    return {outcome: int(number) for number, outcome in counted}


def test_on_a_laptop_a_test_that_cannot_run_skips(suite: Path) -> None:
    assert outcomes(suite) == {"skipped": 3}


def test_a_marker_that_is_required_takes_no_excuse(suite: Path) -> None:
    assert outcomes(suite, "--require=nowhere") == {"skipped": 2, "error": 1}


def test_in_ci_only_what_is_expected_may_skip(suite: Path) -> None:
    assert outcomes(suite, CI="true") == {"failed": 1, "skipped": 1, "error": 1}
