"""A fresh machine gets the releases that were tested, from whichever index it uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PINNED = sorted((Path(__file__).parents[2] / "requirements").glob("*.txt"))


@pytest.mark.parametrize("file", PINNED, ids=lambda path: path.name)
def test_every_requirement_is_one_release_with_its_hashes_and_no_index_is_named(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=\S)", text.strip())

    for one in requirements:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", one), one
        assert "--hash=sha256:" in one
    assert "://" not in text
    assert "index" not in text
