from __future__ import annotations

from nsledger.daemon.config_text import page
from tools.configuration_page import PAGE


def test_the_page_of_the_configuration_is_what_the_code_takes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m tools.configuration_page --write` and look at the difference"
    )
