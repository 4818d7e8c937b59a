from __future__ import annotations

from tools.sharing_rules import PAGE, page


def test_the_page_of_sharing_rules_is_what_the_rules_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m tools.sharing_rules --write` and look at the difference"
    )
