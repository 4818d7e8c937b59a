from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.ledger.line import Head
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import LedgerCreated, PruneRule, Source
from nsledger.model.record import Moment, encode
from nsledger.recorder.retention import Closed, RetentionLimits, choose, found, removal
from tests import recording

NOW_S = 1_000_000


def segments(*ages_s: float | None, size_bytes: int = 100) -> list[Closed]:
    """Some that began so long ago."""
    return [
        Closed(
            first_seq=number,
            path="",
            size_bytes=size_bytes,
            first_time_ns=None if age_s is None else int((NOW_S - age_s) * 1e9),
        )
        for number, age_s in enumerate(ages_s, start=1)
    ]


def chosen(
    found: Sequence[Closed], limits: RetentionLimits, needed_bytes: int = 0
) -> tuple[int, PruneRule] | None:
    return choose(found, limits, now_ns=NOW_S * 10**9, needed_bytes=needed_bytes)


def test_a_segment_goes_when_its_last_record_is_too_old() -> None:
    limits = RetentionLimits(max_age_s=100)

    assert chosen(segments(500, 101, 50, 1), limits) == (1, PruneRule.MAX_AGE)
    assert chosen(segments(500, 100, 50, 1), limits) is None
    assert chosen(segments(500, 400, 300, 200, 1), limits) == (1, PruneRule.MAX_AGE)


def test_a_segment_of_unknown_age_and_all_behind_it_stay() -> None:
    limits = RetentionLimits(max_age_s=100)

    assert chosen(segments(500, 400, None, 300, 200), limits) == (1, PruneRule.MAX_AGE)


def test_segments_go_until_the_ledger_is_small_enough() -> None:
    assert chosen(segments(4, 3, 2, 1), RetentionLimits(max_bytes=400)) is None
    assert chosen(segments(4, 3, 2, 1), RetentionLimits(max_bytes=399)) == (1, PruneRule.MAX_BYTES)
    assert chosen(segments(4, 3, 2, 1), RetentionLimits(max_bytes=200)) == (2, PruneRule.MAX_BYTES)


def test_segments_go_for_a_disk_that_fills_up_whatever_is_to_be_kept() -> None:
    assert chosen(segments(4, 3, 2, 1), RetentionLimits(), 101) == (2, PruneRule.DISK)


@given(
    st.lists(st.integers(0, 1000), max_size=8),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 2000),
)
def test_the_two_newest_always_stay(
    ages_s: list[int], max_age_s: int, max_bytes: int, needed_bytes: int
) -> None:
    limits = RetentionLimits(max_age_s=max_age_s, max_bytes=max_bytes)

    answer = chosen(segments(*sorted(ages_s, reverse=True)), limits, needed_bytes)

    assert answer is None or 1 <= answer[0] <= len(ages_s) - 2


def test_the_record_of_a_removal_has_what_the_rest_follows(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    created = LedgerCreated(source=Source.DAEMON, ledger_id=recording.LEDGER_ID)
    heads: list[Head] = []
    for event in (created, recording.event(2), recording.event(3), recording.event(4)):
        moment = Moment(time_ns=len(heads) * 10**9, mono_ns=0, boot_id="boot")
        heads.append(writer.append([encode(event, moment)]))
        writer.rotate()
    writer.close()

    listed = found(str(tmp_path))
    event = removal(str(tmp_path), listed, 2, PruneRule.MAX_AGE)

    assert [segment.first_seq for segment in listed] == [1, 2, 3, 4, 5]
    assert [segment.first_time_ns for segment in listed] == [0, 10**9, 2 * 10**9, 3 * 10**9, None]
    assert all(segment.size_bytes > 0 for segment in listed[:-1])
    assert (event.from_seq, event.through_seq, event.segments) == (1, 2, 2)
    assert event.digest == heads[1].digest
    assert event.ledger_id == recording.LEDGER_ID
    assert verify(str(tmp_path)).head == heads[-1]


def test_nothing_is_removed_from_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        found(str(tmp_path / "nowhere"))
