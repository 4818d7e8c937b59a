from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from nsledger.ledger.writer import LedgerWriter
from nsledger.proc.locks import flock_holder


def test_the_writer_of_a_ledger_is_found_by_its_lock_and_not_disturbed(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))

    holder = flock_holder(str(tmp_path / "lock"))
    writer.close()

    assert holder is not None
    assert holder.pid == os.getpid()
    assert holder.since_ns is not None
    assert 0 <= time.time_ns() - holder.since_ns < 86_400 * 10**9
    assert flock_holder(str(tmp_path / "lock")) is None


def test_a_reader_of_the_lock_file_is_no_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)

        assert flock_holder(str(path)) is None


def test_where_there_is_no_lock_file_nobody_holds_it(tmp_path: Path) -> None:
    assert flock_holder(str(tmp_path / "lock")) is None


@pytest.mark.parametrize("name", ["lock", "other"])
def test_only_the_lock_that_was_asked_for_counts(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").touch()
    writer = LedgerWriter.open(str(tmp_path))

    held = flock_holder(str(tmp_path / name)) is not None
    writer.close()

    assert held == (name == "lock")
