"""The three stages of a disk that fills up, on real small file systems."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nsledger.ledger.disk_room import RoomLimits, free_bytes
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import (
    DISK_FULL,
    DiskStage,
    DiskStageChanged,
    Gap,
    LedgerPruned,
    LedgerResumed,
    LedgerStopped,
    PruneRule,
)
from nsledger.recorder.disk_gate import WriterLimits
from nsledger.recorder.maintenance import Maintenance
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.retention import RetentionLimits
from nsledger.recorder.rotation import RotationLimits
from tests import recording

pytestmark = [pytest.mark.fault, pytest.mark.root]

MIB = 1 << 20
SOON_S = 20.0
QUEUE_LIMIT = 100
LIMITS = RoomLimits(
    warn_bytes=5 * MIB, prune_bytes=4 * MIB, stop_bytes=2 * MIB, reserve_bytes=64 << 10
)


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of about 8 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if request.param == "tmpfs":
        mount = ["-t", "tmpfs", "-o", "size=8m", "tmpfs"]
    else:
        image = tmp_path / "image"
        image.write_bytes(bytes(9 * MIB))
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        mount = ["-o", "loop", str(image)]
    mounted = subprocess.run(["mount", *mount, disk], check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mount: {mounted.stderr.strip()}")
    yield disk
    # Lazily, as a test that failed may have left a recorder behind.
    subprocess.run(["umount", "--lazy", disk], check=True)


def recorder_on(directory: Path, room: RoomLimits = LIMITS, segment_bytes: int = 0) -> Recorder:
    recorder = Recorder(
        lambda: LedgerWriter.open(str(directory)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        queue_limit=QUEUE_LIMIT,
        limits=WriterLimits(rotation=RotationLimits(max_bytes=segment_bytes), room=room),
    )
    recorder.start()
    return recorder


def eventually(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.001)


def offer(recorder: Recorder, until: Callable[[], object]) -> int:
    """Record one thing after the other; how many."""
    offered = 0
    deadline_s = time.monotonic() + SOON_S
    while not until():
        assert time.monotonic() < deadline_s, "it never came true"
        # Noise: what compresses well would never fill the disk.
        filler = random.Random(offered).randbytes(1000).hex()
        recorder.record(recording.event(f"{offered} {filler}"), at=recording.now())
        offered += 1
        if recorder.failing is None:
            eventually(lambda: recorder.queue_depth < QUEUE_LIMIT or recorder.failing)
    return offered


def check_nothing_is_lost_in_silence(directory: Path, recorder: Recorder, offered: int) -> None:
    assert verify(str(directory)).unfinished_bytes == 0
    records = recording.records(directory)
    gaps = [record.event for record in records if isinstance(record.event, Gap)]
    assert {gap.reason for gap in gaps} <= {DISK_FULL}
    assert all(gap.first_time < gap.last_time for gap in gaps)
    missing = sum(gap.count or 0 for gap in gaps)
    assert missing == recorder.dropped
    words = [word for word in recording.words(directory) if word[:1].isdigit()]
    assert len(words) + missing == offered


def test_it_warns_then_stops_with_a_last_record_and_goes_on_by_itself(disk: Path) -> None:
    ledger = disk / "ledger"
    ledger.mkdir()
    recorder = recorder_on(ledger)

    offered = offer(recorder, lambda: recorder.dropped > 100)

    last = recording.records(ledger)[-1]
    assert isinstance(last.event, LedgerStopped)
    assert last.event.reason == DISK_FULL
    assert free_bytes(str(disk)) > MIB, "room is left to others"
    appended = recorder.appended
    offered += offer(recorder, lambda: recorder.dropped > 200)
    assert recorder.appended == appended == verify(str(ledger)).head.seq

    recorder._commit.gate._limits = RoomLimits(reserve_bytes=64 << 10)  # type: ignore[union-attr] # as if someone had made room
    eventually(lambda: recorder.failing is None)
    assert recorder.close(SOON_S) == 0

    check_nothing_is_lost_in_silence(ledger, recorder, offered)
    events = [record.event for record in recording.records(ledger)]
    told = [event.stage for event in events if isinstance(event, DiskStageChanged)]
    assert told[:2] == [DiskStage.WARN, DiskStage.PRUNE]
    stopped = next(at for at, event in enumerate(events) if isinstance(event, LedgerStopped))
    resumed = events[stopped + 1]
    assert isinstance(resumed, LedgerResumed)
    assert resumed.stopped_time < recording.records(ledger)[-1].time


def upkeep_of(recorder: Recorder, ledger: Path) -> Maintenance:
    return Maintenance(
        recorder,
        str(ledger),
        limits=RetentionLimits(),
        prune_bytes=LIMITS.prune_bytes,
        now=recording.now,
        interval_s=0.005,
    )


def check_pruned(ledger: Path, recorder: Recorder) -> None:
    events = [record.event for record in recording.records(ledger)]
    pruned = [event for event in events if isinstance(event, LedgerPruned)]
    assert {event.rule for event in pruned} == {PruneRule.DISK}
    verified = verify(str(ledger))
    assert verified.head.seq == recorder.appended
    assert verified.before.seq == pruned[-1].through_seq


def test_old_segments_make_room_before_anything_is_lost(disk: Path) -> None:
    ledger = disk / "ledger"
    ledger.mkdir()
    recorder = recorder_on(ledger, segment_bytes=200_000)
    maintenance = upkeep_of(recorder, ledger)
    maintenance.start()

    def with_time_for_upkeep() -> bool:
        eventually(lambda: recorder.disk_stage in {DiskStage.OK, DiskStage.WARN})
        return recorder.appended > 6_000

    offer(recorder, with_time_for_upkeep)
    maintenance.close(SOON_S)
    assert recorder.close(SOON_S) == 0

    assert recorder.dropped == 0
    check_pruned(ledger, recorder)
    assert maintenance.failures == {}


@pytest.mark.parametrize("segment_bytes", [200_000, 2_000_000])
def test_old_segments_make_room_where_nothing_could_be_written_any_more(
    disk: Path, segment_bytes: int
) -> None:
    """Compressing takes room for a while; a segment is to be smaller than what is left."""
    ledger = disk / "ledger"
    ledger.mkdir()
    recorder = recorder_on(ledger, segment_bytes=segment_bytes)
    offer(recorder, lambda: recorder.disk_full)
    maintenance = upkeep_of(recorder, ledger)
    maintenance.start()

    eventually(lambda: recorder.failing is None)
    maintenance.close(SOON_S)
    assert recorder.close(SOON_S) == 0

    assert verify(str(ledger)).head.seq == recorder.appended
    assert any(isinstance(record.event, LedgerResumed) for record in recording.records(ledger))
    assert list(ledger.glob("*.zst"))


def test_a_disk_that_others_fill_leaves_room_for_the_last_record(disk: Path) -> None:
    """Without a threshold of its own: only the reserve is between the last record and ENOSPC."""
    ledger = disk / "ledger"
    ledger.mkdir()
    recorder = recorder_on(ledger, RoomLimits(reserve_bytes=64 << 10))
    offered = offer(recorder, lambda: recorder.appended > 10)
    with (disk / "something-else").open("wb", buffering=0) as other:
        try:
            while other.write(bytes(4096)):
                pass
        except OSError:
            pass

    offered += offer(recorder, lambda: recorder.dropped > 100)

    assert isinstance(recording.records(ledger)[-1].event, LedgerStopped)
    assert recorder.failures["ENOSPC"]
    (disk / "something-else").unlink()
    eventually(lambda: recorder.failing is None)
    assert recorder.close(SOON_S) == 0
    assert (ledger / "reserve").exists()
    check_nothing_is_lost_in_silence(ledger, recorder, offered)


def test_a_daemon_that_starts_on_a_full_disk_says_so_and_goes_on_later(disk: Path) -> None:
    ledger = disk / "ledger"
    ledger.mkdir()
    filler = disk / "something-else"
    filler.write_bytes(bytes(free_bytes(str(disk)) - MIB))
    recorder = recorder_on(ledger)
    recorder.record(recording.event("1 early"), at=recording.now())
    eventually(lambda: recorder.failing)
    assert recording.words(ledger) == ["ledger.created", DISK_FULL]

    filler.unlink()
    eventually(lambda: recorder.failing is None)
    assert recorder.close(SOON_S) == 0

    assert recording.words(ledger)[2:] == ["ledger.resumed", "disk.stage_changed", "1 early"]
