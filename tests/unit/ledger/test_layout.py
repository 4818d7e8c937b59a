from __future__ import annotations

from nsledger.ledger.layout import (
    LOCK_NAME,
    compressed_name,
    first_seqs,
    segment_name,
    segment_names,
    torn_name,
    torn_names,
)


def test_a_segment_is_named_after_its_first_entry_and_names_sort_by_it() -> None:
    names = [segment_name(seq) for seq in (1_000_000, 1, 42)]

    assert segment_name(1) == "00000000000000000001.jsonl"
    assert sorted(names) == [segment_name(seq) for seq in (1, 42, 1_000_000)]
    assert first_seqs(names) == [1, 42, 1_000_000]


def test_what_is_no_segment_is_passed_over() -> None:
    others = [LOCK_NAME, torn_name(7, 1), "1.jsonl", segment_name(3) + "~", "." + segment_name(3)]

    assert first_seqs(others) == []


def test_torn_tails_of_one_place_are_found_in_the_order_of_their_numbers() -> None:
    mine = [torn_name(7, number) for number in (10, 2, 1)]

    assert torn_names([*mine, torn_name(8, 1), segment_name(7)], 7) == mine[::-1]


def test_of_a_segment_that_is_there_twice_the_original_counts() -> None:
    names = [compressed_name(1), segment_name(1), compressed_name(5), segment_name(9)]

    assert segment_names(names) == [
        (1, segment_name(1)),
        (5, compressed_name(5)),
        (9, segment_name(9)),
    ]
    assert first_seqs([*names, compressed_name(7) + ".tmp"]) == [1, 5, 9]
