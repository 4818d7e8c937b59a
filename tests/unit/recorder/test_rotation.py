from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import DiskStage
from nsledger.model.record import Moment, encode
from nsledger.recorder.rotation import Rotation, RotationLimits, first_time_ns
from tests import recording

DAY_NS = 86_400 * 10**9
BEGAN = Moment(time_ns=1_700_000_000 * 10**9, mono_ns=1, boot_id="boot")


def segment(directory: Path) -> str:
    """One that began at `BEGAN`."""
    writer = LedgerWriter.open(str(directory))
    writer.append([encode(recording.event("first"), BEGAN)])
    writer.close()
    return writer.segment_path


def test_a_segment_is_closed_when_it_is_long_enough() -> None:
    rotation = Rotation(RotationLimits(max_bytes=1000))

    assert not rotation.due(999, 0, DiskStage.OK)
    assert rotation.due(1000, 0, DiskStage.OK)


def test_a_segment_is_closed_when_its_first_record_is_old_enough() -> None:
    rotation = Rotation(RotationLimits(max_age_s=10))

    rotation.begun(0)
    assert not rotation.due(0, 50, DiskStage.OK)
    assert not rotation.due(1, 59, DiskStage.OK)
    assert rotation.due(1, 60, DiskStage.OK)


def test_the_age_of_a_segment_counts_from_before_this_daemon(tmp_path: Path) -> None:
    path = segment(tmp_path)
    rotation = Rotation(RotationLimits(max_age_s=2 * 86_400))

    rotation.opened(path, 100, BEGAN.time_ns + DAY_NS)

    assert not rotation.due(1, 100 + 86_399, DiskStage.OK)
    assert rotation.due(1, 100 + 86_400, DiskStage.OK)


def test_a_clock_that_was_set_back_makes_no_segment_younger_than_new(tmp_path: Path) -> None:
    path = segment(tmp_path)
    rotation = Rotation(RotationLimits(max_age_s=10))

    rotation.opened(path, 100, BEGAN.time_ns - DAY_NS)

    assert rotation.due(1, 110, DiskStage.OK)


def test_without_limits_a_segment_is_never_closed() -> None:
    assert not Rotation(RotationLimits()).due(1 << 50, 1e12, DiskStage.WARN)


def test_while_the_disk_is_nearly_full_smaller_segments_are_closed() -> None:
    rotation = Rotation(RotationLimits())

    assert not rotation.due(1000, 0, DiskStage.PRUNE)
    assert rotation.due(1 << 20, 0, DiskStage.PRUNE)


def test_a_failed_rotation_is_not_tried_again_with_every_record() -> None:
    rotation = Rotation(RotationLimits(max_bytes=1))

    rotation.failed(100)

    assert not rotation.due(10, 101, DiskStage.OK)
    assert rotation.due(10, 200, DiskStage.OK)


@pytest.mark.parametrize(
    "text", [b"", b"nothing\n", b'{"seq":1,"prev":"' + b"0" * 64 + b'","a":1}\n']
)
def test_a_segment_that_tells_no_time_has_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "00000000000000000001.jsonl"
    path.write_bytes(text)

    assert first_time_ns(str(path)) is None


def test_a_segment_tells_when_it_began(tmp_path: Path) -> None:
    assert first_time_ns(segment(tmp_path)) == BEGAN.time_ns
