from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nsledger.ledger.disk_room import Reserve, RoomLimits, free_bytes
from nsledger.model.events import DiskStage
from tests.failing_disk import FailingDisk

SIZE = 1 << 20


@pytest.mark.parametrize(
    ("free", "stage"),
    [
        (30, DiskStage.OK),
        (29, DiskStage.WARN),
        (20, DiskStage.WARN),
        (19, DiskStage.PRUNE),
        (9, DiskStage.STOP),
        (0, DiskStage.STOP),
    ],
)
def test_less_room_is_a_later_stage(free: int, stage: DiskStage) -> None:
    assert RoomLimits(warn_bytes=30, prune_bytes=20, stop_bytes=10).stage(free) is stage


def test_without_limits_it_is_never_too_full() -> None:
    assert RoomLimits().stage(0) is DiskStage.OK


def test_giving_back_the_reserve_is_not_enough_to_go_on() -> None:
    limits = RoomLimits(stop_bytes=10, reserve_bytes=5)

    assert limits.resume_bytes > limits.stop_bytes + limits.reserve_bytes


def test_free_room_is_what_others_than_root_have(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)

    assert abs(free_bytes(str(tmp_path)) - status.f_bavail * status.f_frsize) < 1 << 30


def test_a_reserve_takes_room_and_gives_it_back(tmp_path: Path) -> None:
    reserve = Reserve(str(tmp_path), SIZE)

    reserve.hold()
    reserve.hold()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE
    reserve.release()
    reserve.release()

    assert os.listdir(tmp_path) == []


def test_a_reserve_that_only_looks_like_one_is_made_again(tmp_path: Path) -> None:
    with (tmp_path / "reserve").open("wb") as sparse:
        sparse.truncate(SIZE)

    Reserve(str(tmp_path), SIZE).hold()

    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE


def test_a_reserve_that_is_not_to_be_had_leaves_nothing(tmp_path: Path, disk: FailingDisk) -> None:
    disk.fails(errno.ENOSPC, at="posix_fallocate")

    with pytest.raises(OSError, match="No space"):
        Reserve(str(tmp_path), SIZE).hold()

    assert os.listdir(tmp_path) == []


def test_no_reserve_is_no_file(tmp_path: Path) -> None:
    Reserve(str(tmp_path), 0).hold()

    assert os.listdir(tmp_path) == []
