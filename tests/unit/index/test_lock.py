from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from nsledger.index import lock
from nsledger.index.opening import reading
from nsledger.index.store import mark
from nsledger.ledger.place import NoLedgerError
from tests.synthetic_node import example_node


def test_a_rebuilt_index_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    example_node().write(tmp_path)
    with lock.locked(str(tmp_path)) as path:
        Path(path).write_bytes(b"no database")

        reached = lock.rebuild(path, str(tmp_path))

    database = reading(path)
    assert database is not None
    with closing(database):
        assert mark(database) == reached
    assert reached.seq == len(example_node().records)
    assert not [name for name in os.listdir(tmp_path) if ".new" in name]


def test_a_build_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    with lock.locked(str(tmp_path)) as path:
        Path(path).write_bytes(b"before")

        with pytest.raises(NoLedgerError):
            lock.rebuild(path, str(tmp_path))

    assert Path(path).read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["index.lock", "index.sqlite"]


def test_one_process_at_a_time_may_write(tmp_path: Path) -> None:
    with (
        lock.locked(str(tmp_path)),
        pytest.raises(BlockingIOError),
        lock.locked(str(tmp_path)),
    ):
        pass
