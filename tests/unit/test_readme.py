from __future__ import annotations

from pathlib import Path

from tests.node import test_effects
from tests.node.beliefs import beliefs_of, table

README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_beliefs_is_what_the_tests_on_real_nodes_stand_for() -> None:
    """To write it anew: `python -m tests.node.write_beliefs`."""
    written = README.read_text(encoding="utf-8")

    shown = written.partition("<!-- beliefs -->\n")[2].partition("<!-- /beliefs -->")[0]

    assert shown == table(beliefs_of(test_effects))
