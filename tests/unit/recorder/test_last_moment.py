from __future__ import annotations

from pathlib import Path

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.record import Moment, encode
from nsledger.recorder.previous_session import last_moment
from tests import ledgers, recording


def test_it_is_the_last_records_to_the_nanosecond(tmp_path: Path) -> None:
    last = Moment(time_ns=1_795_478_630_123_456_789, mono_ns=123_456_789_012, boot_id="boot")
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([encode(recording.event("x"), recording.now())])
    writer.append([encode(recording.event("y"), last)])
    writer.close()

    assert last_moment(str(tmp_path)) == last


def test_an_empty_ledger_has_none(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])

    assert last_moment(str(tmp_path)) is None


def test_an_entry_that_is_no_record_has_none(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])

    assert last_moment(str(tmp_path)) is None
