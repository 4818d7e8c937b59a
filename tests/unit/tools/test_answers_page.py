from __future__ import annotations

from tools.answers_page import PAGE, page


def test_the_page_of_the_answers_is_what_the_code_answers() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m tools.answers_page --write`; a key that is gone or renamed breaks somebody"
    )
