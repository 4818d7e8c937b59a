from __future__ import annotations

from nsledger.model.namespaces import IdMapping, as_ranges, shown


def test_a_map_is_the_same_however_it_is_cut_into_lines() -> None:
    whole = [IdMapping(0, 100000, 65536)]
    cut = [IdMapping(1000, 101000, 64536), IdMapping(0, 100000, 1000)]

    assert as_ranges(cut) == as_ranges(whole) == tuple(whole)


def test_neighbours_inside_that_are_strangers_outside_stay_apart() -> None:
    lines = (IdMapping(0, 100000, 1), IdMapping(1, 200000, 1))

    assert as_ranges(lines) == lines


def test_neighbours_outside_that_are_strangers_inside_stay_apart() -> None:
    lines = (IdMapping(0, 100000, 1), IdMapping(7, 100001, 1))

    assert as_ranges(lines) == lines


def test_a_line_of_no_ids_maps_nothing() -> None:
    assert as_ranges([IdMapping(0, 0, 0)]) == ()


def test_a_map_is_shown_as_newuidmap_takes_it() -> None:
    assert shown([IdMapping(0, 100000, 1000), IdMapping(1000, 7, 1)]) == "0:100000:1000,1000:7:1"
    assert shown(()) == ""
