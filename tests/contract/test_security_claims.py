"""SECURITY.md names a test behind each claim: it has to be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_security_md_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text()))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }

    assert len(named) > 20
    assert named <= defined, named - defined


def test_the_length_that_security_md_tells_of_the_verifier_is_its_length() -> None:
    length = len((ROOT / "tools" / "verify_ledger.py").read_text().splitlines())

    assert f"`tools/verify_ledger.py`, {length} lines" in (ROOT / "SECURITY.md").read_text()
