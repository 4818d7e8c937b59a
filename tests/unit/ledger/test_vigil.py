from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger.errors import Damage, LedgerDamagedError
from nsledger.ledger.reader import entries
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import Alteration
from tests import ledgers
from tests.failing_disk import FailingDisk


@pytest.fixture
def writer(tmp_path: Path, disk: FailingDisk) -> Iterator[LedgerWriter]:
    """One that has written three entries and synced two."""
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1), ledgers.record(2)])
    writer.sync()
    writer.append([ledgers.record(3)])
    yield writer
    disk.works()
    writer.close()


def seqs(directory: Path) -> list[int]:
    verify(str(directory))
    return [entry.seq for entry in entries(str(directory))]


@pytest.mark.parametrize("notice", ["append", "sync", "rotate"])
def test_a_segment_that_lost_its_name_gets_it_back_with_every_entry(
    tmp_path: Path, writer: LedgerWriter, notice: str
) -> None:
    ledgers.segment(tmp_path).unlink()

    {
        "append": lambda: writer.append([ledgers.record(4)]),
        "sync": writer.sync,
        "rotate": writer.rotate,
    }[notice]()
    writer.append([ledgers.record(5)])

    assert seqs(tmp_path)[:3] == [1, 2, 3]
    assert seqs(tmp_path)[-1] == writer.head.seq
    (altered,) = writer.take_alterations()
    assert altered.alteration is Alteration.REMOVED
    assert altered.kept_as == ""
    assert altered.segment == ledgers.segment(tmp_path).name
    assert writer.take_alterations() == []


def test_a_segment_that_was_moved_away_is_back_after_the_next_sync_with_every_entry(
    tmp_path: Path, writer: LedgerWriter
) -> None:
    # The file that is open still has them all, under another name: nothing is lost until then.
    ledgers.segment(tmp_path).rename(tmp_path / "elsewhere")
    writer.append([ledgers.record(4)])

    writer.sync()

    assert seqs(tmp_path) == [1, 2, 3, 4]
    assert [each.alteration for each in writer.take_alterations()] == [Alteration.REMOVED]


@pytest.mark.parametrize("content", [b"", b"something else\n"])
def test_what_took_the_segments_place_is_moved_aside(
    tmp_path: Path, writer: LedgerWriter, content: bytes
) -> None:
    other = tmp_path / "other"
    other.write_bytes(content)
    other.rename(ledgers.segment(tmp_path))

    writer.append([ledgers.record(4)])

    assert seqs(tmp_path) == [1, 2, 3, 4]
    (altered,) = writer.take_alterations()
    assert altered.alteration is Alteration.REPLACED
    assert (tmp_path / altered.kept_as).read_bytes() == content


def test_a_symbolic_link_in_the_segments_place_is_not_followed(
    tmp_path: Path, writer: LedgerWriter
) -> None:
    ledgers.segment(tmp_path).rename(tmp_path / "elsewhere")
    ledgers.segment(tmp_path).symlink_to(tmp_path / "elsewhere")

    writer.append([ledgers.record(4)])
    writer.sync()

    assert seqs(tmp_path) == [1, 2, 3, 4]
    assert not ledgers.segment(tmp_path).is_symlink()


def test_bytes_that_someone_added_are_moved_aside(tmp_path: Path, writer: LedgerWriter) -> None:
    with ledgers.segment(tmp_path).open("ab") as segment:
        segment.write(b"foreign")

    writer.append([ledgers.record(4)])

    assert seqs(tmp_path) == [1, 2, 3, 4]
    (altered,) = writer.take_alterations()
    assert altered.alteration is Alteration.EXTENDED
    assert (tmp_path / altered.kept_as).read_bytes() == b"foreign"


def test_what_was_cut_off_and_is_still_in_memory_is_written_again(
    tmp_path: Path, writer: LedgerWriter
) -> None:
    synced = sum(map(len, ledgers.lines(tmp_path)[:2]))
    os.truncate(ledgers.segment(tmp_path), synced + 5)

    writer.append([ledgers.record(4)])

    assert seqs(tmp_path) == [1, 2, 3, 4]
    assert [each.alteration for each in writer.take_alterations()] == [Alteration.TRUNCATED]


def test_entries_that_were_cut_off_are_seen_to_be_missing_and_the_rest_goes_on(
    tmp_path: Path, writer: LedgerWriter
) -> None:
    os.truncate(ledgers.segment(tmp_path), len(ledgers.lines(tmp_path)[0]))

    writer.append([ledgers.record(4)])
    writer.sync()

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(tmp_path))
    assert (caught.value.seq, caught.value.damage) == (2, Damage.MISSING)
    assert [entry.seq for entry in entries(str(tmp_path))] == [1, 4]
    (altered,) = writer.take_alterations()
    assert (altered.alteration, altered.at_seq) == (Alteration.TRUNCATED, 3)


@pytest.mark.parametrize("call", ["open", "fsync", "rename", "pwrite"])
def test_a_disk_that_does_not_let_it_be_put_back_is_asked_again(
    tmp_path: Path, writer: LedgerWriter, disk: FailingDisk, call: str
) -> None:
    ledgers.segment(tmp_path).unlink()
    disk.fails(errno.EIO, at=call)
    with pytest.raises(OSError, match="Input/output"):
        writer.append([ledgers.record(4)])
    disk.works()

    writer.append([ledgers.record(4)])

    assert seqs(tmp_path) == [1, 2, 3, 4]


def test_a_failed_append_of_our_own_is_not_taken_for_somebody_elses(
    tmp_path: Path, writer: LedgerWriter, disk: FailingDisk
) -> None:
    disk.cuts_short(7)
    disk.fails(errno.EIO, at="ftruncate")
    with pytest.raises(OSError, match="No space"):
        writer.append([ledgers.record(4)])
    writer.sync()
    disk.works()

    writer.append([ledgers.record(4)])

    assert seqs(tmp_path) == [1, 2, 3, 4]
    assert writer.take_alterations() == []
