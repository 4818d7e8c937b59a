from __future__ import annotations

import pytest

from nsledger.render.causes import listed


@pytest.mark.parametrize(
    ("names", "said"),
    [(["app"], "app"), (["app", "log"], "app and log"), (["a", "b", "c"], "a, b and c")],
)
def test_names_are_listed_as_people_do(names: list[str], said: str) -> None:
    assert listed(names) == said
