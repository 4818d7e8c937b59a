from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger import compression
from nsledger.ledger.compression import (
    CompressionError,
    clear_unfinished,
    closed_segments,
    compress,
)
from nsledger.ledger.place import find
from nsledger.ledger.reader import entries, entries_backwards
from nsledger.ledger.segment import Segment
from nsledger.ledger.verify import verify
from tests import ledgers
from tests.failing_disk import FailingDisk

FIRST = "00000000000000000001.jsonl"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Ten entries in three segments."""
    directory = tmp_path / "ledger"
    ledgers.write(directory, range(1, 11))
    ledgers.split(directory, 4, 8)
    return directory


def never() -> bool:
    return False


def test_all_but_the_newest_segment_are_closed(ledger: Path) -> None:
    assert closed_segments(str(ledger)) == [FIRST, "00000000000000000004.jsonl"]

    compress(str(ledger), FIRST, called_off=never)

    assert closed_segments(str(ledger)) == ["00000000000000000004.jsonl"]


def test_a_compressed_ledger_reads_and_verifies_as_the_same(ledger: Path) -> None:
    before = verify(str(ledger))
    told = [entry.line for entry in entries(str(ledger))]

    for name in closed_segments(str(ledger)):
        assert compress(str(ledger), name, called_off=never)

    assert sorted(path.name for path in ledger.glob("*.jsonl*")) == [
        "00000000000000000001.jsonl.zst",
        "00000000000000000004.jsonl.zst",
        "00000000000000000008.jsonl",
    ]
    assert verify(str(ledger)) == before
    assert [entry.line for entry in entries(str(ledger))] == told
    assert [entry.line for entry in entries_backwards(str(ledger))] == told[::-1]
    for start_seq in range(1, 12):
        found = [entry.line for entry in entries(str(ledger), start_seq)]
        assert found == told[start_seq - 1 :]
    copy = ledger.parent / "evidence.zst"
    copy.write_bytes((ledger / "00000000000000000004.jsonl.zst").read_bytes())
    assert [entry.line for entry in entries(str(copy))] == told[3:7]


def test_a_compressed_segment_has_the_mode_of_the_ledgers_files(ledger: Path) -> None:
    compress(str(ledger), FIRST, called_off=never)

    mode = (ledger / (FIRST + ".zst")).stat().st_mode
    assert stat.S_IMODE(mode) == 0o640


def test_one_who_calls_it_off_leaves_everything_as_it_was(ledger: Path) -> None:
    names = sorted(os.listdir(ledger))

    assert not compress(str(ledger), FIRST, called_off=lambda: True)

    assert sorted(os.listdir(ledger)) == names


def test_what_does_not_read_back_as_the_original_never_takes_its_place(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(os.listdir(ledger))
    real = Segment.pieces

    def altered(segment: Segment, offset: int = 0, piece_bytes: int = 100) -> Iterator[bytes]:
        for piece in real(segment, offset, piece_bytes):
            yield b"x" + piece[1:] if segment.compressed else piece

    monkeypatch.setattr(Segment, "pieces", altered)

    with pytest.raises(CompressionError):
        compress(str(ledger), FIRST, called_off=never)

    assert sorted(os.listdir(ledger)) == names


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename", "unlink", "open"])
def test_a_disk_that_fails_at_any_call_leaves_one_whole_copy(
    ledger: Path, disk: FailingDisk, call: str
) -> None:
    before = verify(str(ledger))
    disk.fails(errno.EIO, at=call)

    with pytest.raises(OSError, match="Input/output"):
        compress(str(ledger), FIRST, called_off=never)
    disk.works()

    assert verify(str(ledger)) == before
    clear_unfinished(str(ledger))
    assert compress(str(ledger), FIRST, called_off=never)
    assert verify(str(ledger)) == before


def test_where_both_are_there_the_original_is_read_and_is_compressed_again(ledger: Path) -> None:
    (ledger / (FIRST + ".zst")).write_bytes(b"whatever was there")

    assert find(str(ledger)).segments[0][1].endswith(FIRST)
    assert closed_segments(str(ledger))[0] == FIRST
    compress(str(ledger), FIRST, called_off=never)

    assert verify(str(ledger)).head.seq == 10


def test_what_a_dead_process_had_begun_is_removed_and_nothing_else(ledger: Path) -> None:
    names = sorted(os.listdir(ledger))
    (ledger / (FIRST + ".zst.tmp")).write_bytes(b"half")

    clear_unfinished(str(ledger))

    assert sorted(os.listdir(ledger)) == names


def test_it_asks_often_whether_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_PIECE_BYTES", 100)
    ledgers.write(tmp_path, range(1, 11))
    ledgers.split(tmp_path, 9)
    asked = itertools.count()

    compress(str(tmp_path), FIRST, called_off=lambda: next(asked) > 1000)

    assert next(asked) >= 8
