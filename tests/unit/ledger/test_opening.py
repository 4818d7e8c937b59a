from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.ledger.compression import compress
from nsledger.ledger.errors import LedgerUnusableError
from nsledger.ledger.layout import Pruned, save
from nsledger.ledger.line import GENESIS
from nsledger.ledger.reader import entries
from nsledger.ledger.recovery import free_name, open_last, set_aside
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Nine entries in three segments."""
    directory = tmp_path / "ledger"
    ledgers.write(directory, range(1, 10))
    ledgers.split(directory, 4, 7)
    return directory


def compress_all(directory: Path, *first_seqs: int) -> None:
    for first_seq in first_seqs:
        compress(str(directory), ledgers.segment(directory, first_seq).name, called_off=bool)


def name_of_last(directory: Path) -> tuple[str, int]:
    """The name of the segment to append to, and the head of the ledger."""
    opened = open_last(str(directory))
    os.close(opened.descriptor)
    return opened.name, opened.head.seq


def test_a_ledger_goes_on_in_its_newest_segment(ledger: Path) -> None:
    assert name_of_last(ledger) == (ledgers.segment(ledger, 7).name, 9)


def test_behind_a_compressed_segment_a_new_one_begins(ledger: Path) -> None:
    compress_all(ledger, 1, 4, 7)

    ledgers.write(ledger, [10])

    assert verify(str(ledger)).head.seq == 10
    assert ledgers.segment(ledger, 10).exists()


def test_an_empty_segment_follows_the_one_before_it_compressed_or_not(ledger: Path) -> None:
    ledgers.segment(ledger, 10).touch()
    assert name_of_last(ledger) == (ledgers.segment(ledger, 10).name, 9)

    compress_all(ledger, 7)
    ledgers.write(ledger, [10])

    assert verify(str(ledger)).head.seq == 10


def test_an_empty_segment_follows_what_was_removed_before_it(ledger: Path) -> None:
    head = verify(str(ledger)).head
    save(str(ledger), Pruned(first_seq=10, prev=head.digest, from_seq=1, time="", rule="disk"))
    for first_seq in (1, 4, 7):
        ledgers.segment(ledger, first_seq).unlink()
    ledgers.segment(ledger, 10).touch()

    ledgers.write(ledger, [10])

    (entry,) = entries(str(ledger))
    assert (entry.seq, entry.prev) == (10, head.digest)


@pytest.mark.parametrize("named", [8, 12])
def test_an_empty_segment_with_another_number_than_the_next_is_done_away_with(
    ledger: Path, named: int
) -> None:
    """A power cut took the last entries, or a failed rotation was not the end of the segment."""
    ledgers.segment(ledger, named).touch()

    ledgers.write(ledger, [10])

    assert not ledgers.segment(ledger, named).exists()
    assert verify(str(ledger)).head.seq == 10


def test_a_compressed_segment_without_an_entry_is_nothing_to_go_on_from(ledger: Path) -> None:
    compress_all(ledger, 7)
    (ledger / "00000000000000000007.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd")

    with pytest.raises(LedgerUnusableError):
        LedgerWriter.open(str(ledger))


def test_a_new_directory_begins_with_the_genesis(tmp_path: Path) -> None:
    opened = open_last(str(tmp_path))
    os.close(opened.descriptor)

    assert (opened.head, opened.size_bytes) == (GENESIS, 0)


def test_what_is_set_aside_never_takes_the_place_of_something_else(tmp_path: Path) -> None:
    names = [set_aside(str(tmp_path), b"%d" % number, "torn-7-1") for number in range(3)]

    assert names == ["torn-7-1", "torn-7-2", "torn-7-3"]
    assert [(tmp_path / name).read_bytes() for name in names] == [b"0", b"1", b"2"]
    assert free_name(str(tmp_path), "torn-7-2") == "torn-7-4"
