from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.index.records import Records
from nsledger.model.record import UnreadableRecordError
from tests import ledgers
from tests.synthetic_node import example_node


def test_the_records_of_a_ledger_come_in_order(tmp_path: Path) -> None:
    found = list(Records.without_index(str(example_node().write(tmp_path / "ledger"))))

    assert [record.seq for record in found] == list(range(1, len(example_node().records) + 1))


def test_an_entry_that_is_no_record_is_refused(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])

    with pytest.raises(UnreadableRecordError):
        list(Records.without_index(str(tmp_path)))
