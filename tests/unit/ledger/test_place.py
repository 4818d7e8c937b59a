from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.ledger.errors import Damage, LedgerDamagedError
from nsledger.ledger.line import GENESIS, Head
from nsledger.ledger.place import NoLedgerError, find
from nsledger.ledger.reader import entries
from nsledger.ledger.verify import verify
from tests import ledgers


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    directory = tmp_path / "ledger"
    ledgers.write(directory, range(1, 11))
    lines = ledgers.lines(directory)
    ledgers.replace(directory, lines[:4])
    ledgers.segment(directory, 5).write_bytes(b"".join(lines[4:]))
    return directory


def copied(ledger: Path, first_seq: int, name: str) -> Path:
    copy = ledger.parent / name
    copy.write_bytes(ledgers.segment(ledger, first_seq).read_bytes())
    return copy


def test_a_directory_is_its_segments_in_order(ledger: Path) -> None:
    place = find(str(ledger))

    assert [seq for seq, _ in place.segments] == [1, 5]
    assert place.before == GENESIS
    assert place.size_bytes == sum(path.stat().st_size for path in ledger.glob("*.jsonl"))


@pytest.mark.parametrize("name", ["00000000000000000005.jsonl", "evidence"])
def test_a_segment_by_itself_is_read_whatever_its_name(ledger: Path, name: str) -> None:
    copy = copied(ledger, 5, name)

    assert [entry.seq for entry in entries(str(copy))] == [5, 6, 7, 8, 9, 10]
    assert [entry.seq for entry in entries(str(copy), 9)] == [9, 10]


def test_a_later_segment_is_verified_from_what_it_claims_to_follow(ledger: Path) -> None:
    copy = copied(ledger, 5, "evidence")

    verified = verify(str(copy))

    assert verified.before == verify(str(copied(ledger, 1, "first"))).head
    assert verified.head == verify(str(ledger)).head


def test_a_first_segment_has_to_begin_with_the_genesis(ledger: Path) -> None:
    copy = copied(ledger, 1, "evidence")
    copy.write_bytes(copy.read_bytes().replace(b"0" * 64, b"f" * 64, 1))

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(copy))

    assert (caught.value.seq, caught.value.damage) == (1, Damage.BROKEN_LINK)


def test_a_file_that_is_named_like_a_segment_is_one_even_if_it_begins_with_damage(
    ledger: Path,
) -> None:
    copy = copied(ledger, 5, "00000000000000000005.jsonl")
    copy.write_bytes(b"damage\n" + copy.read_bytes())

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(copy))

    assert caught.value.damage is Damage.NOT_AN_ENTRY
    assert caught.value.seq == 5


def test_a_segments_name_counts_more_than_what_its_first_line_claims(ledger: Path) -> None:
    copy = copied(ledger, 5, "00000000000000000004.jsonl")

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(copy))

    assert (caught.value.seq, caught.value.damage) == (4, Damage.MISSING)


def test_a_symbolic_link_to_a_copy_is_followed(ledger: Path) -> None:
    link = ledger.parent / "link"
    link.symlink_to(ledgers.segment(ledger, 5))

    assert len(list(entries(str(link)))) == 6


def test_an_empty_file_is_an_empty_ledger(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert find(str(tmp_path / "empty")).before == Head(0, "0" * 64)
    assert list(entries(str(tmp_path / "empty"))) == []


def test_what_is_no_ledger_is_refused_and_not_read(tmp_path: Path) -> None:
    other = tmp_path / "passwd"
    other.write_text("root:x:0:0\n")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    for path in (tmp_path, other, fifo, Path("/dev/zero")):
        with pytest.raises(NoLedgerError):
            find(str(path))


def test_what_is_not_there_is_the_systems_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find(str(tmp_path / "nowhere"))
