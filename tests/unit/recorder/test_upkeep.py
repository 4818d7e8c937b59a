from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nsledger.ledger import files
from nsledger.ledger.disk_room import RoomLimits
from nsledger.ledger.layout import load
from nsledger.ledger.reader import entries_backwards
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import LedgerPruned, PruneRule
from nsledger.recorder import maintenance as upkeep_module
from nsledger.recorder.disk_gate import WriterLimits
from nsledger.recorder.maintenance import Maintenance
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.retention import RetentionLimits
from nsledger.recorder.rotation import RotationLimits
from tests import recording
from tests.failing_disk import FailingDisk

SOON_S = 30.0
SEGMENT_BYTES = 20_000


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        limits=WriterLimits(
            rotation=RotationLimits(max_bytes=SEGMENT_BYTES),
            room=RoomLimits(reserve_bytes=4096),
        ),
    )
    recorder.start()
    yield recorder
    recorder.close(SOON_S)


def eventually(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.001)


def fill(recorder: Recorder, segments: int) -> None:
    """Have so many segments begun."""
    for _ in range(segments):
        for number in range(SEGMENT_BYTES // 250):
            recorder.record(recording.event(f"{number} {'x' * 40}"), at=recording.now())
        recorder.record(recording.event("-"), at=recording.now(), sync=True).wait(SOON_S)


def upkeep_of(
    recorder: Recorder, directory: Path, *, max_bytes: int = 0, prune_bytes: int = 0
) -> Maintenance:
    return Maintenance(
        recorder,
        str(directory),
        limits=RetentionLimits(max_bytes=max_bytes),
        prune_bytes=prune_bytes,
        now=recording.now,
        interval_s=0.01,
    )


def names(directory: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in directory.glob(pattern))


def test_closed_segments_are_compressed_while_records_go_on(
    tmp_path: Path, recorder: Recorder
) -> None:
    maintenance = upkeep_of(recorder, tmp_path)
    maintenance.start()

    fill(recorder, 6)
    eventually(lambda: len(names(tmp_path, "*.jsonl")) == 1)
    maintenance.close(SOON_S)

    assert len(names(tmp_path, "*.zst")) >= 5
    assert verify(str(tmp_path)).head.seq == recorder.appended
    assert maintenance.failures == {}


def test_the_ledger_is_kept_below_its_size_and_says_what_is_gone(
    tmp_path: Path, recorder: Recorder
) -> None:
    fill(recorder, 6)
    before = verify(str(tmp_path))

    upkeep_of(recorder, tmp_path, max_bytes=16_000).go_round()

    events = [record.event for record in recording.records(tmp_path)]
    (event,) = [event for event in events if isinstance(event, LedgerPruned)]
    pruned = load(str(tmp_path))
    assert pruned is not None
    assert event.rule is PruneRule.MAX_BYTES
    assert (event.from_seq, event.through_seq) == (1, pruned.first_seq - 1)
    assert (event.digest, event.ledger_id) == (pruned.prev, recording.LEDGER_ID)
    assert names(tmp_path, "*.jsonl*")[0].startswith(f"{pruned.first_seq:020d}")
    verified = verify(str(tmp_path))
    assert verified.before == pruned.before
    assert verified.head.seq == before.head.seq + 1
    assert next(entries_backwards(str(tmp_path))).seq == verified.head.seq


def test_nothing_is_removed_while_the_ledger_cannot_say_so(
    tmp_path: Path, recorder: Recorder, disk: FailingDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "_PATIENCE_S", 0.1)
    fill(recorder, 6)
    maintenance = upkeep_of(recorder, tmp_path)
    maintenance.start()
    eventually(lambda: len(names(tmp_path, "*.jsonl")) == 1)
    maintenance.close(SOON_S)
    compressed = names(tmp_path, "*.zst")
    disk.fails(errno.EIO)

    upkeep_of(recorder, tmp_path, max_bytes=1).go_round()

    assert names(tmp_path, "*.zst") == compressed
    assert load(str(tmp_path)) is None
    disk.works()


def test_what_a_dead_process_did_not_finish_removing_is_removed(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(recorder, 6)
    with monkeypatch.context() as dead:
        dead.setattr(upkeep_module, "remove_pruned", lambda _: None)
        upkeep_of(recorder, tmp_path, max_bytes=1).go_round()
    assert names(tmp_path, "*.jsonl*")[0].startswith(f"{1:020d}")
    pruned = load(str(tmp_path))
    assert pruned is not None
    assert verify(str(tmp_path)).before == pruned.before

    upkeep_of(recorder, tmp_path).go_round()

    assert names(tmp_path, "*.jsonl*")[0].startswith(f"{pruned.first_seq:020d}")


def test_whoever_has_not_the_ledger_touches_nothing(tmp_path: Path) -> None:
    other = Recorder(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
    )
    (tmp_path / "00000000000000000001.jsonl.zst.tmp").touch()

    upkeep_of(other, tmp_path).go_round()

    assert os.listdir(tmp_path) == ["00000000000000000001.jsonl.zst.tmp"]


def test_two_do_not_work_on_one_ledger(tmp_path: Path, recorder: Recorder) -> None:
    fill(recorder, 3)
    lock = files.lock_directory(str(tmp_path))

    upkeep_of(recorder, tmp_path).go_round()
    assert names(tmp_path, "*.zst") == []

    os.close(lock)
    upkeep_of(recorder, tmp_path).go_round()
    assert names(tmp_path, "*.zst") != []


def test_a_failing_disk_is_counted_and_asked_again(
    tmp_path: Path, recorder: Recorder, disk: FailingDisk
) -> None:
    fill(recorder, 3)
    maintenance = upkeep_of(recorder, tmp_path)
    disk.fails(errno.EIO, at="rename")
    maintenance.start()
    eventually(lambda: maintenance.failures["EIO"])
    disk.works()

    eventually(lambda: len(names(tmp_path, "*.jsonl")) == 1)
    maintenance.close(SOON_S)
    assert verify(str(tmp_path)).head.seq == recorder.appended


def test_an_idle_daemon_notices_that_its_segment_is_gone(
    tmp_path: Path, recorder: Recorder
) -> None:
    recorder.record(recording.event("one"), at=recording.now(), sync=True).wait(SOON_S)
    (live,) = names(tmp_path, "*.jsonl")
    maintenance = upkeep_of(recorder, tmp_path)
    maintenance.start()

    (tmp_path / live).unlink()

    eventually((tmp_path / live).exists)
    maintenance.close(SOON_S)
    eventually(lambda: recording.words(tmp_path)[-1] == "segment.altered")
    assert verify(str(tmp_path)).head.seq == recorder.appended
