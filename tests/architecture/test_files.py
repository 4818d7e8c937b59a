"""Files stay short enough to be read in one go, and unit tests stand at their package."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 500
SOURCES = {"shim/nsledger": "", "hooks": "", "demo": "demo", "tools": "tools"}
"""Where sources are, and below which directory of tests/unit their tests."""


def sources() -> dict[Path, Path]:
    """Each source file, and the directory of tests/unit for its package."""
    return {
        path: Path(below, path.parent.relative_to(ROOT / directory))
        for directory, below in SOURCES.items()
        for path in (ROOT / directory).rglob("*")
        if path.is_file() and path.suffix in ("", ".py") and "generated" not in path.parts
    }


def test_no_source_file_is_longer_than_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): length
        for path in sources()
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }

    assert not long


def test_every_unit_test_stands_at_the_package_that_it_tests() -> None:
    packages = set(sources().values())
    unit = ROOT / "tests/unit"

    astray = [
        str(path.relative_to(unit))
        for path in unit.rglob("test_*.py")
        if path.parent != unit and path.parent.relative_to(unit) not in packages
    ]

    assert not astray
