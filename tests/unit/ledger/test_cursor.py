from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.ledger.line import GENESIS, Entry, Head
from nsledger.ledger.reader import (
    CursorPrunedError,
    CursorReplacedError,
    NotACursorError,
    check,
    parse,
)
from tests import ledgers, tampering


def test_a_text_is_a_number_and_a_hash() -> None:
    assert parse(f"12:{'a9' * 32}") == Head(12, "a9" * 32)
    assert parse(f"0:{'0' * 64}") == GENESIS
    for text in ("", "12", f"-1:{'0' * 64}", f"1:{'A' * 64}", f"1:{'0' * 64}\n"):
        with pytest.raises(NotACursorError):
            parse(text)


def test_every_entry_of_a_ledger_can_be_gone_on_from_and_no_other(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 6))
    heads = [GENESIS, *(Entry.parse(line).head for line in ledgers.lines(tmp_path))]

    for head in heads:
        check(str(tmp_path), head)
        with pytest.raises(CursorReplacedError):
            check(str(tmp_path), Head(head.seq, "f" * 64))
    with pytest.raises(CursorReplacedError):
        check(str(tmp_path), Head(6, heads[5].digest))


def test_a_pruned_ledger_can_be_gone_on_from_where_it_begins(tmp_path: Path) -> None:
    ledger = tampering.make(tmp_path / "ledger")
    heads = [Entry.parse(line).head for line in ledgers.lines(ledger)]
    tampering.prune(ledger)

    check(str(ledger), heads[9])
    with pytest.raises(CursorPrunedError) as caught:
        check(str(ledger), heads[8])

    assert (caught.value.cursor.seq, caught.value.before.seq) == (9, 10)
