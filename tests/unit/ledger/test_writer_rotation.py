from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from nsledger.ledger.reader import entries
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers
from tests.failing_disk import FailingDisk


def test_a_ledger_goes_on_in_a_new_segment_with_the_same_chain(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    for number in range(1, 7):
        writer.append([ledgers.record(number)])
        if number % 2 == 0:
            writer.rotate()
    writer.close()

    assert [path.name for path in sorted(tmp_path.glob("*.jsonl"))] == [
        ledgers.segment(tmp_path, seq).name for seq in (1, 3, 5, 7)
    ]
    assert verify(str(tmp_path)).head == writer.head
    ledgers.write(tmp_path, [7])
    assert [entry.seq for entry in entries(str(tmp_path))] == list(range(1, 8))


def test_an_empty_segment_is_not_closed(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.rotate()
    writer.append([ledgers.record(1)])
    writer.rotate()
    writer.rotate()
    writer.close()

    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_what_is_closed_is_on_the_disk_before_anything_follows_it(
    tmp_path: Path, disk: FailingDisk
) -> None:
    """Else a power cut could take the middle of the ledger, and leave its end."""
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1)])
    done: list[str] = []
    disk.waits(lambda: done.append("sync"), at="fdatasync")
    disk.waits(lambda: done.append("open"), at="open")

    writer.rotate()

    assert done[:2] == ["sync", "open"]
    writer.close()


@pytest.mark.parametrize("call", ["open", "fdatasync"])
def test_a_disk_without_room_for_a_new_segment_costs_no_record(
    tmp_path: Path, disk: FailingDisk, call: str
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1)])
    disk.fails(errno.ENOSPC, at=call)
    with pytest.raises(OSError, match="No space"):
        writer.rotate()
    disk.works()

    writer.append([ledgers.record(2)])
    writer.rotate()
    writer.append([ledgers.record(3)])
    writer.close()

    assert [path.name for path in sorted(tmp_path.glob("*.jsonl"))] == [
        ledgers.segment(tmp_path, seq).name for seq in (1, 3)
    ]
    assert verify(str(tmp_path)).head.seq == 3


def test_entries_are_not_synced_before_the_name_of_their_segment_is(
    tmp_path: Path, disk: FailingDisk
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1)])
    writer.rotate()
    writer.append([ledgers.record(2)])
    disk.fails(errno.EIO, at="fsync")

    with pytest.raises(OSError, match="Input/output"):
        writer.sync()

    assert writer.unsynced_bytes > 0
    disk.works()
    writer.sync()
    assert writer.unsynced_bytes == 0
    writer.close()


def test_a_directory_that_others_could_write_in_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    LedgerWriter.open(str(tmp_path)).close()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@pytest.mark.root
def test_a_ledger_is_roots_and_its_groups_whoever_made_the_directory(tmp_path: Path) -> None:
    group_id = 4242
    ledgers.write(tmp_path, [1])
    os.chown(tmp_path, 4243, 4244)

    writer = LedgerWriter.open(str(tmp_path), group_id=group_id)
    writer.append([ledgers.record(2)])
    writer.rotate()
    writer.close()

    owned = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()}
    assert owned.pop("lock") == (0, 0), "who can open the lock can keep the daemon out"
    assert set(owned.values()) == {(0, group_id)}
    assert (tmp_path.stat().st_uid, tmp_path.stat().st_gid) == (0, group_id)
