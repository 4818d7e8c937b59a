from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import LedgerPruned, PruneRule
from nsledger.model.record import Moment, encode
from nsledger.recorder.clock_trust import ClockTrust, is_synchronised
from nsledger.recorder.maintenance import Maintenance
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.retention import Closed, RetentionLimits, age_span_s
from tests import recording

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
START_NS = 1_796_000_000 * 10**9


def at(elapsed_ns: int, *, ahead_ns: int = 0) -> Moment:
    return Moment(START_NS + elapsed_ns + ahead_ns, 10**9 + elapsed_ns, "boot")


def test_a_clock_is_believed_after_a_day_without_a_step_if_somebody_sets_it() -> None:
    trust = ClockTrust(lambda: True)

    assert not trust.look(at(0))
    assert not trust.look(at(DAY_NS - 1))
    assert trust.look(at(DAY_NS))


def test_a_step_of_the_clock_begins_the_day_anew_in_either_direction() -> None:
    trust = ClockTrust(lambda: True)
    trust.look(at(0))
    assert trust.look(at(2 * DAY_NS))

    assert not trust.look(at(2 * DAY_NS + 10, ahead_ns=400 * DAY_NS))
    assert not trust.look(at(2 * DAY_NS + 20))
    assert not trust.look(at(3 * DAY_NS))
    assert trust.look(at(3 * DAY_NS + 20))


def test_a_clock_that_nobody_sets_is_never_believed() -> None:
    trust = ClockTrust(lambda: False)
    trust.look(at(0))

    assert not trust.look(at(400 * DAY_NS))


def test_the_kernel_says_whether_somebody_sets_the_clock() -> None:
    assert is_synchronised() in {True, False}


def test_the_next_segment_goes_no_sooner_than_the_first_ones_time_has_passed() -> None:
    def written_for(seconds: float | None) -> float:
        later = None if seconds is None else int(seconds * 1e9)
        return age_span_s([Closed(1, "", 1, 0), Closed(2, "", 1, later)])

    assert written_for(60) == 60
    assert written_for(DAY_NS) == written_for(None) == 3600
    assert written_for(-5) == 0  # the clock was set back meanwhile


class Clock:
    def __init__(self) -> None:
        self.moment = recording.now()

    def now(self) -> Moment:
        return self.moment

    def goes_on(self, elapsed_ns: int, *, ahead_ns: int = 0) -> None:
        then = self.moment
        wall_ns = then.time_ns + elapsed_ns + ahead_ns
        self.moment = Moment(wall_ns, then.mono_ns + elapsed_ns, then.boot_id)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Eight segments of an hour each."""
    began = recording.now()
    writer = LedgerWriter.open(str(tmp_path))
    for hour in range(8):
        for minute in range(3):
            then_ns = (hour * 60 + minute) * 60 * 10**9 - 8 * HOUR_NS
            moment = Moment(began.time_ns + then_ns, began.mono_ns + then_ns, began.boot_id)
            writer.append([encode(recording.event("x"), moment)])
        writer.sync()
        writer.rotate()
    writer.close()
    return tmp_path


def removed(ledger: Path) -> list[LedgerPruned]:
    events = [record.event for record in recording.records(ledger)]
    return [event for event in events if isinstance(event, LedgerPruned)]


def test_a_clock_that_is_a_year_ahead_for_a_while_removes_nothing(ledger: Path) -> None:
    clock = Clock()
    recorder = Recorder(
        lambda: LedgerWriter.open(str(ledger)),
        now=clock.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
    )
    recorder.start()
    maintenance = Maintenance(
        recorder,
        str(ledger),
        limits=RetentionLimits(max_age_s=365 * 24 * 3600),
        prune_bytes=0,
        now=clock.now,
        clock_trust=ClockTrust(lambda: True),
    )
    recorder.record(recording.event("y"), at=clock.now(), sync=True).wait(30)
    maintenance.go_round()
    clock.goes_on(2 * DAY_NS)
    maintenance.go_round()

    clock.goes_on(5 * 10**9, ahead_ns=400 * DAY_NS)
    maintenance.go_round()
    clock.goes_on(12 * 10**9)
    maintenance.go_round()

    assert removed(ledger) == []

    clock.goes_on(DAY_NS)  # somebody keeps it so: now it is believed, one segment after the other
    maintenance.go_round()
    maintenance.go_round()
    assert len(removed(ledger)) == 1
    clock.goes_on(HOUR_NS)
    maintenance.go_round()
    recorder.close(30)

    first, second = removed(ledger)
    assert first.rule is second.rule is PruneRule.MAX_AGE
    assert (first.segments, second.segments) == (1, 1)
