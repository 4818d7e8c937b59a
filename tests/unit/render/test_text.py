from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.render.text import cite, columns, inert_json, pad, shorten, shorten_middle, visible

HOSTILE = (
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x9b31mC1",
    "one\ntwo\r\tthree",
    "\u202egnp.exe\u2066",
    "\u200bzero\ufeff\u00ad",
    "\U000e0041tag",
    "\ud800lone",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_name_reaches_a_terminal_as_it_is(name: str) -> None:
    assert visible(name).isprintable()
    assert visible(name) != name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-7d4b9", "web-7d4b9"),
        ("\u00e9\u4e2d", "\u00e9\u4e2d"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\u202e", r"\u202e"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_not_printable_is_written_out_and_the_rest_stays(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_json_made_inert_means_the_same_and_steers_nothing(text: str) -> None:
    inert = inert_json(json.dumps({"name": text}, ensure_ascii=False))

    assert json.loads(inert) == {"name": text}
    assert inert.isprintable()


@given(st.text(), st.integers(1, 30))
def test_what_was_shortened_fits_and_what_fits_is_not_shortened(text: str, width: int) -> None:
    for cut in (shorten, shorten_middle):
        short = cut(visible(text), width)

        assert columns(short) <= width
        assert (short == visible(text)) == (columns(visible(text)) <= width)


def test_the_middle_goes_first_since_generated_names_differ_at_the_end() -> None:
    assert shorten_middle("web-7d4b9c6f5-x7k2p", 12) == "web-7d\u2026x7k2p"
    assert shorten("web-7d4b9c6f5-x7k2p", 12) == "web-7d4b9c6\u2026"


def test_wide_characters_take_two_columns_and_combining_ones_count_too() -> None:
    assert columns("\u4e2d\u6587") == 4
    assert pad("\u4e2d", 4) == "\u4e2d  "
    assert columns("a" + "\u0301" * 1000) > 1000


def test_a_name_of_ten_thousand_characters_costs_a_line() -> None:
    assert len(shorten("x" * 10_000, 20)) == 20
    assert len(shorten_middle("\u4e2d" * 10_000, 20)) <= 20


def test_records_are_cited_by_their_numbers() -> None:
    assert (cite([]), cite([412]), cite((412, 415))) == ("", "record 412", "records 412, 415")
