"""A file system that really fills up, and the recorder on it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import DaemonStopped, Gap
from nsledger.recorder.recorder import Recorder
from tests import recording

SOON_S = 30.0
QUEUE_LIMIT = 100
FILLER = "x" * 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def eventually(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.001)


@pytest.mark.fault
@pytest.mark.root
def test_a_full_disk_costs_no_caller_time_and_no_record_in_silence(small_disk: Path) -> None:
    (small_disk / "something-else").write_bytes(b"x" * 500_000)
    recorder = Recorder(
        lambda: LedgerWriter.open(str(small_disk / "ledger")),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        queue_limit=QUEUE_LIMIT,
    )
    recorder.start()

    offered = 0
    slowest_s = 0.0
    while recorder.dropped < 500:
        started_s = time.monotonic()
        recorder.record(recording.event(f"{offered} {FILLER}"), at=recording.now())
        slowest_s = max(slowest_s, time.monotonic() - started_s)
        offered += 1
        if recorder.failing is None:
            eventually(lambda: recorder.queue_depth < QUEUE_LIMIT or recorder.failing)
    assert recorder.failures.keys() == {"ENOSPC"}
    verified = verify(str(small_disk / "ledger"))
    assert verified.head.seq == recorder.appended
    assert verified.unfinished_bytes == 0
    assert slowest_s < 1

    (small_disk / "something-else").unlink()
    eventually(lambda: recorder.failing is None)
    recorder.record(recording.event(f"{offered} after"), at=recording.now())
    assert recorder.close(SOON_S) == 0

    assert verify(str(small_disk / "ledger")).head.seq == recorder.appended
    events = [record.event for record in recording.records(small_disk / "ledger")]
    gaps = [event for event in events if isinstance(event, Gap)]
    assert {gap.reason for gap in gaps} == {"disk_full"}
    assert sum(gap.count or 0 for gap in gaps) == recorder.dropped
    written = sum(isinstance(event, DaemonStopped) for event in events)
    assert written + recorder.dropped == offered + 1
