from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger import reader
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.line import MAX_LINE_BYTES
from nsledger.ledger.reader import entries, follow, whole_lines
from nsledger.ledger.segment import Segment
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers


def seqs(directory: Path, start_seq: int = 1) -> list[int]:
    return [entry.seq for entry in entries(str(directory), start_seq)]


def split_at(directory: Path, seq: int) -> None:
    """Make two segments out of one."""
    lines = ledgers.lines(directory)
    ledgers.replace(directory, lines[: seq - 1])
    ledgers.segment(directory, seq).write_bytes(b"".join(lines[seq - 1 :]))


def test_entries_come_in_order_over_all_segments(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 11))
    split_at(tmp_path, 5)

    assert seqs(tmp_path) == list(range(1, 11))
    assert seqs(tmp_path, 4) == list(range(4, 11))
    assert seqs(tmp_path, 5) == list(range(5, 11))
    assert seqs(tmp_path, 11) == []


def test_a_segment_that_ends_before_the_start_is_not_opened(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 11))
    split_at(tmp_path, 5)
    ledgers.replace(tmp_path, [b"garbage\n"])

    assert seqs(tmp_path, 5) == list(range(5, 11))


@pytest.mark.parametrize("start_seq", [1, 2, 99, 100, 1234, 1999, 2000])
def test_any_entry_of_a_long_segment_is_found_without_reading_up_to_it(
    tmp_path: Path, start_seq: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(number, "x" * (number % 977)) for number in range(1, 2001)])
    writer.close()
    read: list[int] = []
    real = Segment.pieces

    def noting(segment: Segment, offset: int) -> Iterator[bytes]:
        read.append(offset)
        return real(segment, offset)

    monkeypatch.setattr(Segment, "pieces", noting)

    assert seqs(tmp_path, start_seq) == list(range(start_seq, 2001))

    before = sum(len(line) for line in ledgers.lines(tmp_path)[: start_seq - 1])
    assert before - 2 * reader._PROBE_BYTES <= read[0] <= before


def test_no_entry_is_missed_wherever_the_search_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_PROBE_BYTES", 250)
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(number, "x" * (number % 7)) for number in range(1, 101)])
    writer.close()

    for start_seq in range(1, 102):
        assert seqs(tmp_path, start_seq) == list(range(start_seq, 101))


def test_a_line_without_its_newline_is_not_there_yet(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2, 3])
    ledgers.segment(tmp_path).write_bytes(ledgers.segment(tmp_path).read_bytes()[:-1])

    assert seqs(tmp_path) == [1, 2]


def test_a_line_that_is_no_entry_is_an_error_after_the_ones_before_it(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2, 3])
    lines = ledgers.lines(tmp_path)
    ledgers.replace(tmp_path, [lines[0], b"garbage\n", lines[2]])
    found = entries(str(tmp_path))

    assert next(found).seq == 1
    with pytest.raises(NotAnEntryError):
        next(found)


def test_following_shows_what_comes_later_and_a_new_segment_too(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2])

    def later() -> Iterator[bool]:
        ledgers.write(tmp_path, [3])
        yield True
        ledgers.write(tmp_path, [4, 5])
        split_at(tmp_path, 5)
        yield True
        yield True
        yield False

    steps = later()

    assert [entry.seq for entry in follow(str(tmp_path), 2, wait=lambda: next(steps))] == [
        2,
        3,
        4,
        5,
    ]


@pytest.mark.parametrize("size", range(1, 12))
def test_lines_are_whole_however_the_bytes_are_cut(size: int) -> None:
    data = b"one\ntwo\n\nthree\rstill three\nunfinished"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    assert list(whole_lines(pieces)) == [b"one\n", b"two\n", b"\n", b"three\rstill three\n"]


def test_a_line_without_end_is_an_error_and_not_a_full_memory() -> None:
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield b"x" * 65536

    with pytest.raises(NotAnEntryError):
        list(whole_lines(endless()))

    assert given * 65536 < 2 * MAX_LINE_BYTES
