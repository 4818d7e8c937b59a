from __future__ import annotations

from nsledger.model.events import Gap, Source
from nsledger.model.record import Moment
from nsledger.recorder.gaps import GapTally


class Now:
    def __init__(self) -> None:
        self.seconds = 0

    def __call__(self) -> Moment:
        self.seconds += 1
        return Moment(time_ns=self.seconds * 1_000_000_000, mono_ns=0, boot_id="boot")


def test_gaps_of_one_reason_are_one_gap_from_the_first_to_the_last() -> None:
    tally = GapTally(Now())

    news = [tally.add("oversized", 2, "first"), tally.add("oversized", 3, "")]

    assert news == [True, False]
    assert tally.pending == 5
    assert tally.take() == [
        Gap(
            source=Source.DAEMON,
            reason="oversized",
            count=5,
            first_time="1970-01-01T00:00:01.000000000Z",
            last_time="1970-01-01T00:00:02.000000000Z",
            detail="first",
        )
    ]


def test_each_reason_has_its_own_gap() -> None:
    tally = GapTally(Now())
    tally.add("oversized", 1, "")
    tally.add("queue_full", 1, "pod.requested")

    assert [gap.reason for gap in tally.take()] == ["oversized", "queue_full"]


def test_a_gap_is_taken_once_and_counted_for_ever() -> None:
    tally = GapTally(Now())
    tally.add("oversized", 1, "")
    tally.take()

    assert tally.take() == []
    assert tally.pending == 0
    assert tally.add("oversized", 1, "")
    assert tally.totals == {"oversized": 2}
