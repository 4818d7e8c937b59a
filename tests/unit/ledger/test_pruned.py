from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nsledger.ledger.compression import closed_segments, compress
from nsledger.ledger.errors import Damage, LedgerDamagedError
from nsledger.ledger.layout import Pruned, PrunedFileError, load, save
from nsledger.ledger.line import Entry, Head
from nsledger.ledger.place import find, opened
from nsledger.ledger.reader import entries, entries_backwards, follow, ledger_id
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers
from tests.failing_disk import FailingDisk

LEDGER_ID = "0123456789abcdef" * 2


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Ten entries in three segments."""
    directory = tmp_path / "ledger"
    ledgers.write(directory, range(1, 9))
    for first_seq in (4, 8):
        before = Entry.parse(ledgers.lines(directory)[first_seq - 2]).head
        declare(directory, before)
    ledgers.split(directory, 4, 8)
    return directory


def declare(directory: Path, last_removed: Head) -> None:
    """Have the record of a removal at the end."""
    writer = LedgerWriter.open(str(directory))
    told = b'{"event":"ledger.pruned","through_seq":%d,"digest":"%b"}'
    writer.append([told % (last_removed.seq, last_removed.digest.encode())])
    writer.close()


def pruned(ledger: Path, first_seq: int) -> Pruned:
    with ledgers.segment(ledger, first_seq).open("rb") as segment:
        first_kept = Entry.parse(segment.readline())
    return Pruned(
        first_seq=first_seq,
        prev=first_kept.prev,
        from_seq=1,
        time="2026-11-24T00:00:00.000000000Z",
        rule="max_age",
        ledger_id=LEDGER_ID,
    )


def test_a_pruned_ledger_begins_where_it_says_and_verifies_from_there(ledger: Path) -> None:
    head = verify(str(ledger)).head

    save(str(ledger), pruned(ledger, 4))
    ledgers.segment(ledger, 1).unlink()

    verified = verify(str(ledger))
    assert verified.head == head
    assert verified.before == pruned(ledger, 4).before
    assert [entry.seq for entry in entries(str(ledger))] == list(range(4, 11))
    assert [entry.seq for entry in entries_backwards(str(ledger))] == list(range(10, 3, -1))
    assert ledger_id(str(ledger)) == LEDGER_ID


def test_what_is_not_removed_yet_is_no_part_of_a_pruned_ledger(ledger: Path) -> None:
    save(str(ledger), pruned(ledger, 8))

    assert [seq for seq, _ in find(str(ledger)).segments] == [8]
    assert verify(str(ledger)).before.seq == 7


def test_a_ledger_whose_beginning_is_gone_without_a_word_is_damaged(ledger: Path) -> None:
    ledgers.segment(ledger, 1).unlink()

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger))

    assert (caught.value.seq, caught.value.damage) == (1, Damage.MISSING)


def test_what_a_pruned_ledger_claims_to_follow_is_held_against_its_first_entry(
    ledger: Path,
) -> None:
    forged = pruned(ledger, 4)
    save(str(ledger), Pruned(first_seq=4, prev="f" * 64, from_seq=1, time="", rule=forged.rule))

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger))

    assert (caught.value.seq, caught.value.damage) == (4, Damage.BROKEN_LINK)


@pytest.mark.parametrize("first_seq", [4, 8])
def test_a_removal_that_no_record_declares_is_damage(tmp_path: Path, first_seq: int) -> None:
    ledgers.write(tmp_path, range(1, 11))
    ledgers.split(tmp_path, 4, 8)
    assert verify(str(tmp_path)).head.seq == 10
    save(str(tmp_path), pruned(tmp_path, first_seq))

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(tmp_path))

    found = caught.value
    assert (found.damage, found.seq, found.through_seq) == (Damage.MISSING, 1, first_seq - 1)
    assert found.sound_through == 0


def test_verify_begins_again_where_it_was_pruned_meanwhile(ledger: Path) -> None:
    head, told = verify(str(ledger)).head, 0

    def prune_meanwhile(read: int) -> None:
        nonlocal told
        told += read
        if ledgers.segment(ledger, 1).exists():
            save(str(ledger), pruned(ledger, 8))
            for first_seq in (1, 4):
                ledgers.segment(ledger, first_seq).unlink()

    verified = verify(str(ledger), progress=prune_meanwhile)

    assert told
    assert (verified.before.seq, verified.head) == (7, head)


def test_verify_finds_a_segment_that_was_compressed_meanwhile(ledger: Path) -> None:
    head = verify(str(ledger)).head

    def compress_meanwhile(_: int) -> None:
        for name in closed_segments(str(ledger)):
            compress(str(ledger), name, called_off=lambda: False)

    assert verify(str(ledger), progress=compress_meanwhile).head == head
    assert len(list(ledger.glob("*.zst"))) == 2
    assert verify(str(ledger), processes=2).head == head


def test_a_reader_passes_over_what_is_pruned_while_it_reads(ledger: Path) -> None:
    reading = entries(str(ledger))
    seen = [next(reading).seq]
    save(str(ledger), pruned(ledger, 8))
    for first_seq in (1, 4):
        ledgers.segment(ledger, first_seq).unlink()

    seen += [entry.seq for entry in reading]

    assert seen == [1, 2, 3, 8, 9, 10]


def test_a_follower_goes_on_behind_what_is_pruned(ledger: Path) -> None:
    def prune_then_end() -> bool:
        if not ledgers.segment(ledger, 1).exists():
            return False
        ledgers.write(ledger, [11])
        save(str(ledger), pruned(ledger, 8))
        for first_seq in (1, 4):
            ledgers.segment(ledger, first_seq).unlink()
        return True

    seen = [entry.seq for entry in follow(str(ledger), wait=prune_then_end)]

    assert seen == list(range(1, 12))


def test_a_reader_backwards_ends_where_it_was_pruned_meanwhile(ledger: Path) -> None:
    reading = entries_backwards(str(ledger))
    seen = [next(reading).seq]
    save(str(ledger), pruned(ledger, 8))
    for first_seq in (1, 4):
        ledgers.segment(ledger, first_seq).unlink()

    seen += [entry.seq for entry in reading]

    assert seen == [10, 9, 8]


def test_a_segment_that_is_gone_without_a_word_is_an_error(ledger: Path) -> None:
    reading = entries(str(ledger))
    next(reading)
    ledgers.segment(ledger, 4).unlink()

    with pytest.raises(FileNotFoundError):
        list(reading)
    save(str(ledger), pruned(ledger, 8))
    assert opened(str(ledgers.segment(ledger, 4))).__enter__() is None


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"\xff", b"[" * 2000, b" " * 5000, b'{"first_seq":1,"prev":"","from_seq":1}'],
)
def test_a_pruned_file_without_sense_is_said_and_not_guessed_over(
    ledger: Path, text: bytes
) -> None:
    (ledger / "pruned.json").write_bytes(text)

    with pytest.raises(PrunedFileError):
        load(str(ledger))
    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger))
    assert (caught.value.damage, caught.value.seq) == (Damage.MISSING, 1)
    assert "pruned.json" in str(caught.value)
    assert [entry.seq for entry in entries(str(ledger))] == list(range(1, 11)), "the rest is read"


def test_a_disk_that_fails_leaves_the_beginning_that_was_known(
    ledger: Path, disk: FailingDisk
) -> None:
    save(str(ledger), pruned(ledger, 4))
    for call in ("open", "pwrite", "fsync", "rename"):
        disk.fails(errno.EIO, at=call)
        with pytest.raises(OSError, match="Input/output"):
            save(str(ledger), pruned(ledger, 8))
        disk.works()

        found = load(str(ledger))
        assert found is not None
        assert found.first_seq == 4
    save(str(ledger), pruned(ledger, 8))
    assert [name for name in os.listdir(ledger) if name.endswith(".tmp")] == []
