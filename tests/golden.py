"""Text that was looked at once and has to stay: `NSLEDGER_GOLDEN=write` writes it anew.

With colour, ESC is written as the visible character U+241B, so that a diff can be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def check(path: Path, lines: Iterable[str]) -> None:
    """Compare `lines` with the file at `path`."""
    found = "".join(f"{line}\n" for line in lines).replace("\x1b", "\u241b")
    if os.environ.get("NSLEDGER_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), f"{path.name} differs"
