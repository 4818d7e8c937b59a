"""Writes the table of beliefs into docs/beliefs.md: `python -m tests.node.write_beliefs`."""

from __future__ import annotations

from pathlib import Path

from tests.node import test_effects
from tests.node.beliefs import beliefs_of, table

_PAGE = Path(__file__).parents[2] / "docs/beliefs.md"
_BEGIN, _END = "<!-- beliefs -->\n", "<!-- /beliefs -->"

if __name__ == "__main__":
    before, _, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    made = table(beliefs_of(test_effects))
    _PAGE.write_text(f"{before}{_BEGIN}{made}{_END}{after}", encoding="utf-8")
