from __future__ import annotations

from nsledger.render.text import Screen


def test_every_sign_has_a_form_that_ascii_can_show() -> None:
    ascii_only, unicode = Screen(unicode=False), Screen()

    for name in ("host_sign", "mismatch_sign", "ellipsis", "arrow"):
        assert str(getattr(ascii_only, name)).isascii()
        assert len(getattr(ascii_only, name)) == len(getattr(unicode, name))
