"""Readers beside a writer: they never see half a line, nor an entry out of order."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger.reader import entries, follow
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers
from tests.failing_disk import FailingDisk

BATCHES = 300


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    disk = FailingDisk()
    yield disk
    disk.works()


def write_slowly(directory: Path, done: threading.Event) -> None:
    """Batches of up to 50 entries, some of them very long."""
    writer = LedgerWriter.open(str(directory))
    number = 0
    for batch in range(BATCHES):
        size = batch * 7 % 50 + 1
        filler = "x" * (100_000 if batch % 40 == 0 else batch)
        writer.append([ledgers.record(number + at, filler) for at in range(size)])
        number += size
    writer.close()
    done.set()


def test_verify_and_the_readers_may_run_beside_the_writer(tmp_path: Path) -> None:
    LedgerWriter.open(str(tmp_path)).close()
    done = threading.Event()
    writer = threading.Thread(target=write_slowly, args=[tmp_path, done])
    writer.start()

    followed: list[int] = []
    follower = threading.Thread(
        target=lambda: followed.extend(
            entry.seq for entry in follow(str(tmp_path), wait=lambda: not done.wait(0.001))
        )
    )
    follower.start()
    heads = [0]
    while not done.is_set():
        heads.append(verify(str(tmp_path)).head.seq)
        seqs = [entry.seq for entry in entries(str(tmp_path), max(1, heads[-1]))]
        assert seqs == list(range(max(1, heads[-1]), max(1, heads[-1]) + len(seqs)))
    writer.join()
    follower.join()

    assert heads == sorted(heads)
    assert followed == list(range(1, len(followed) + 1))
    assert len(followed) <= verify(str(tmp_path)).head.seq


def test_a_reader_sees_the_same_entry_after_a_failed_write_of_it(
    tmp_path: Path, disk: FailingDisk
) -> None:
    """A batch may show for a moment, be taken back, and come again: as the same bytes."""
    writer = LedgerWriter.open(str(tmp_path))
    batch = [ledgers.record(number) for number in range(10)]
    disk.cuts_short(5 * 120)
    disk.fails(errno.EIO, at="ftruncate")
    with pytest.raises(OSError, match="No space"):
        writer.append(batch)
    seen = [entry.line for entry in entries(str(tmp_path))]
    assert 0 < len(seen) < len(batch)
    disk.works()

    writer.append(batch)

    assert [entry.line for entry in entries(str(tmp_path))][: len(seen)] == seen
    assert verify(str(tmp_path)).head.seq == len(batch)
    writer.close()
