from __future__ import annotations

from nsledger.render.text import GROUPS, Tone, paint


def test_colour_is_there_only_where_it_is_wanted() -> None:
    assert paint("host", Tone.HOST, color=True) == "\x1b[1;31mhost\x1b[0m"
    assert paint("host", Tone.HOST, color=False) == "host"
    assert paint("host", Tone.PLAIN, color=True) == "host"
    assert paint("", Tone.HOST, color=True) == ""


def test_no_group_has_the_colour_of_a_warning() -> None:
    assert not {"31", "91"} & set(GROUPS)
    assert len(set(GROUPS)) == len(GROUPS)
