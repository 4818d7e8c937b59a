from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nsledger.render.tables import Piece, draw, fit
from nsledger.render.text import Screen, Tone, columns

ROWS = [
    [Piece("a", Tone.HOST), Piece("long enough"), Piece("")],
    [Piece("bb"), Piece("c"), Piece("d")],
]


def test_columns_line_up_under_their_titles_and_no_line_ends_in_spaces() -> None:
    assert list(draw(["X", "NAME", "Y"], ROWS, Screen())) == [
        "X   NAME         Y",
        "a   long enough",
        "bb  c            d",
    ]


def test_only_flexible_columns_give_way() -> None:
    lines = list(draw(["X", "NAME", "Y"], ROWS, Screen(width=14), flexible=["NAME"]))

    assert lines[1:] == ["a   lon\u2026ugh", "bb  c        d"]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(20, 200))
def test_a_grid_is_never_wider_than_it_was_and_fits_if_it_can(
    widths: list[int], limit: int
) -> None:
    fitted = fit(widths, limit, range(len(widths)))

    assert all(after <= before for after, before in zip(fitted, widths, strict=True))
    if sum(min(6, width) for width in widths) + 2 * (len(widths) - 1) <= limit:
        assert sum(fitted) + 2 * (len(widths) - 1) <= limit


def test_colour_changes_no_column() -> None:
    plain = list(draw(["X", "NAME", "Y"], ROWS, Screen()))
    colored = list(draw(["X", "NAME", "Y"], ROWS, Screen(color=True)))

    assert colored[1] == "\x1b[1;31ma\x1b[0m   long enough"
    assert [columns(line) for line in plain] == [18, 15, 18]


def test_a_hostile_cell_stays_in_its_cell() -> None:
    lines = list(draw(["X"], [[Piece("\x1b[2J\nroot")]], Screen(color=True)))

    assert lines[1] == r"\x1b[2J\nroot"
