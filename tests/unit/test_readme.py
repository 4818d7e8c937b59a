from __future__ import annotations

from pathlib import Path

from nsledger.render import svg
from tests.drawing import picture_of
from tests.node import test_effects
from tests.node.beliefs import beliefs_of, table
from tests.synthetic_node import example_node

ROOT = Path(__file__).parents[2]
MOST_WORDS = 1500


def test_the_table_of_beliefs_is_what_the_tests_on_real_nodes_stand_for() -> None:
    """To write it anew: `python -m tests.node.write_beliefs`."""
    written = (ROOT / "docs/beliefs.md").read_text(encoding="utf-8")

    shown = written.partition("<!-- beliefs -->\n")[2].partition("<!-- /beliefs -->")[0]

    assert shown == table(beliefs_of(test_effects))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < MOST_WORDS


def test_the_picture_is_what_report_draws() -> None:
    """To write it anew: `python -m tests.unit.test_readme`."""
    assert (ROOT / "docs/pod.svg").read_text(encoding="utf-8") == _picture()


def _picture() -> str:
    return svg.draw(picture_of(example_node(), "web"))


if __name__ == "__main__":
    (ROOT / "docs/pod.svg").write_text(_picture(), encoding="utf-8")
