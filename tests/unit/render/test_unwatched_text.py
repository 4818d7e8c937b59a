from __future__ import annotations

from nsledger.render import pods
from nsledger.render.text import Screen
from nsledger.state.coverage import Unwatched


def test_a_hole_is_told_with_its_records_and_what_it_means() -> None:
    hole = Unwatched("2026-11-24T00:00:00Z", "2026-11-24T00:01:00Z", "killed", (4, 5))

    assert list(pods.draw_unwatched([hole], Screen())) == [
        "? nobody watched from 2026-11-24 00:00:00 to 2026-11-24 00:01:00: killed (records 4, 5)",
        "  what follows is as it was before",
    ]
    assert list(pods.draw_unwatched([], Screen())) == []
