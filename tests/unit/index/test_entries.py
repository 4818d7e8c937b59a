from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.index.entries import Entries, EntryChangedError, Pointer
from nsledger.ledger.line import digest_of
from tests import ledgers


def pointers(ledger: Path) -> list[Pointer]:
    found, offset = list[Pointer](), 0
    for seq, line in enumerate(ledgers.lines(ledger), 1):
        found.append(Pointer(seq, offset, int(digest_of(line)[:16], 16)))
        offset += len(line)
    return found


def test_entries_are_read_where_they_stand_in_their_order(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(5))
    first, _, third, *_ = pointers(tmp_path)

    found = list(Entries(str(tmp_path)).read([third, first, third]))

    assert [one.line for one in found] == [ledgers.lines(tmp_path)[at] for at in (0, 2)]


def test_a_long_line_is_read_whole(tmp_path: Path) -> None:
    writer_lines = [ledgers.record(0, "x" * 100_000)]
    ledgers.write(tmp_path, [1])
    ledgers.replace(tmp_path, [*ledgers.lines(tmp_path)])
    from nsledger.ledger.writer import LedgerWriter  # noqa: PLC0415 - only here

    writer = LedgerWriter.open(str(tmp_path))
    writer.append(writer_lines)
    writer.close()

    (found,) = Entries(str(tmp_path)).read([pointers(tmp_path)[1]])

    assert len(found.line) > 100_000


def test_an_entry_that_was_changed_since_is_not_taken(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(3))
    at = pointers(tmp_path)[1]
    ledgers.replace(
        tmp_path, [line.replace(b'"number":1', b'"number":7') for line in ledgers.lines(tmp_path)]
    )

    with pytest.raises(EntryChangedError) as caught:
        list(Entries(str(tmp_path)).read([at]))

    assert caught.value.seq == 2


def test_another_entry_in_its_place_is_not_taken(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(3))
    first, second, _ = pointers(tmp_path)

    with pytest.raises(EntryChangedError):
        list(Entries(str(tmp_path)).read([Pointer(second.seq, first.offset, first.digest)]))


def test_what_the_ledger_has_no_more_is_left_out(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(5))
    kept = ledgers.lines(tmp_path)[3:]
    found = pointers(tmp_path)
    ledgers.segment(tmp_path).unlink()
    ledgers.segment(tmp_path, 4).write_bytes(b"".join(kept))

    first = Pointer(4, 0, found[3].digest)

    assert [one.seq for one in Entries(str(tmp_path)).read([found[0], first])] == [4]
