from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nsledger.ledger.disk_room import RoomLimits
from nsledger.model.events import DiskStage, DiskStageChanged, Event, LedgerResumed, LedgerStopped
from nsledger.recorder import disk_gate
from nsledger.recorder.disk_gate import DiskFullError, DiskGate, is_out_of_room
from tests import recording

LIMITS = RoomLimits(warn_bytes=400, prune_bytes=300, stop_bytes=200, reserve_bytes=10)


class Ledger:
    """One that takes records as long as its disk has room."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[Event] = []
        self.free_bytes = 1000
        self.full = False
        self.gate = DiskGate(LIMITS, recording.now)
        self._directory = directory
        monkeypatch.setattr(disk_gate, "free_bytes", lambda _: self.free_bytes)

    def tell(self, event: Event) -> None:
        if self.full and (self._directory / "reserve").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.told.append(event)

    def look(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes
        self.gate.look(str(self._directory), self.tell)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    return Ledger(tmp_path, monkeypatch)


def test_every_change_of_stage_is_told_once(ledger: Ledger) -> None:
    for free in (1000, 399, 399, 299, 350, 1000):
        ledger.look(free)

    changes = [event for event in ledger.told if isinstance(event, DiskStageChanged)]
    assert changes == ledger.told
    assert [(event.before, event.stage) for event in changes] == [
        (DiskStage.OK, DiskStage.WARN),
        (DiskStage.WARN, DiskStage.PRUNE),
        (DiskStage.PRUNE, DiskStage.WARN),
        (DiskStage.WARN, DiskStage.OK),
    ]


def test_the_last_record_before_a_stop_says_so_and_nothing_follows_it(ledger: Ledger) -> None:
    ledger.look(1000)
    for free in (199, 100, 219):
        with pytest.raises(DiskFullError):
            ledger.look(free)

    (stopped,) = ledger.told
    assert isinstance(stopped, LedgerStopped)
    assert (stopped.reason, stopped.free_bytes) == ("disk_full", 199)
    assert ledger.gate.stopped is not None
    assert ledger.gate.stage is DiskStage.STOP


def test_with_room_again_the_first_record_says_since_when_there_was_none(ledger: Ledger) -> None:
    ledger.look(1000)
    with pytest.raises(DiskFullError):
        ledger.look(100)

    ledger.look(220)

    _, resumed, changed = ledger.told
    assert isinstance(resumed, LedgerResumed)
    assert resumed.stopped_time.endswith("Z")
    assert isinstance(changed, DiskStageChanged)
    assert changed.stage is DiskStage.PRUNE
    assert ledger.gate.stopped is None


def test_the_reserve_is_taken_while_there_is_room_and_given_back_for_the_last_record(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.look(1000)
    assert (tmp_path / "reserve").exists()
    ledger.full = True

    with pytest.raises(DiskFullError):
        ledger.look(0)

    assert not (tmp_path / "reserve").exists()
    assert [type(event) for event in ledger.told] == [LedgerStopped]


def test_a_disk_that_fills_up_between_two_looks_is_a_stop_too(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.look(1000)
    ledger.full = True

    ledger.gate.stop(ledger.tell)
    ledger.gate.stop(ledger.tell)

    assert [type(event) for event in ledger.told] == [LedgerStopped]
    with pytest.raises(DiskFullError):
        ledger.look(219)
    ledger.full = False
    ledger.look(1000)
    assert (tmp_path / "reserve").exists()


def test_it_does_not_go_on_without_its_reserve(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DiskFullError):
        ledger.look(100)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="No space"):
        ledger.look(1000)

    assert ledger.gate.stopped is not None


def test_only_a_lack_of_room_counts_as_one() -> None:
    assert is_out_of_room(OSError(errno.ENOSPC, ""))
    assert is_out_of_room(OSError(errno.EDQUOT, ""))
    assert not is_out_of_room(OSError(errno.EIO, ""))
    assert not is_out_of_room(ValueError())
