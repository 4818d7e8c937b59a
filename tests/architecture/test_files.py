"""Files stay small enough to have one idea, and a unit test is found beside what it tests."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 400
SOURCES = {"shim/nsledger": "", "hooks": "", "demo": "demo", "tools": "tools"}
"""Where sources are, and below which directory of tests/unit their tests."""


def sources() -> dict[Path, Path]:
    """Each source file, and the unit test that it would have, without `.py`."""
    return {
        path: Path(below, path.parent.relative_to(ROOT / directory), f"test_{path.stem}")
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


def test_every_unit_test_bears_the_name_of_what_it_tests() -> None:
    """`test_writer_rotation.py` may stand beside `test_writer.py`."""
    mirrored = {str(test).replace("-", "_") for test in sources().values()}
    unit = ROOT / "tests/unit"

    astray = [
        str(path.relative_to(unit))
        for path in unit.rglob("test_*.py")
        if path.parent != unit
        and not any(str(path.relative_to(unit)).startswith(test) for test in mirrored)
    ]

    assert not astray
