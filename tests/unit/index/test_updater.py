from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from nsledger.index import lock
from nsledger.index import updater as module
from nsledger.index.opening import NAME, reading, usable
from nsledger.index.updater import IndexUpdater, UpdaterProcess
from tests.synthetic_node import SyntheticNode, example_node


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GATHER_S", "_LOOK_S", "_FIRST_RETRY_S"):
        monkeypatch.setattr(module, name, 0.01)


@pytest.fixture
def node(tmp_path: Path) -> SyntheticNode:
    node = example_node()
    node.write(tmp_path)
    return node


@pytest.fixture
def keeper(node: SyntheticNode, tmp_path: Path) -> Iterator[IndexUpdater]:
    keeper = IndexUpdater(str(tmp_path))
    keeper.start()
    yield keeper
    keeper.close(5)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def indexed(ledger: Path) -> int:
    database = reading(str(ledger / NAME))
    if database is None:
        return 0
    with closing(database):
        reached = usable(database, str(ledger))
    return 0 if reached is None else reached.seq


def test_it_follows_the_ledger(keeper: IndexUpdater, node: SyntheticNode, tmp_path: Path) -> None:
    wait_for(lambda: keeper.seq == len(node.records))
    node.gap("queue_full")
    node.write(tmp_path)
    keeper.wake()

    wait_for(lambda: indexed(tmp_path) == len(node.records))


def test_a_next_one_goes_on_where_the_last_one_ended(
    keeper: IndexUpdater, node: SyntheticNode, tmp_path: Path
) -> None:
    wait_for(lambda: keeper.seq == len(node.records))
    keeper.close(5)
    inode = os.stat(tmp_path / NAME).st_ino
    node.gap("queue_full")
    node.write(tmp_path)
    other = IndexUpdater(str(tmp_path))
    other.start()

    wait_for(lambda: other.seq == len(node.records))

    other.close(5)
    assert os.stat(tmp_path / NAME).st_ino == inode


def test_an_index_that_is_taken_away_is_built_again(
    keeper: IndexUpdater, node: SyntheticNode, tmp_path: Path
) -> None:
    wait_for(lambda: keeper.seq == len(node.records))

    lock.drop(str(tmp_path / NAME))

    wait_for(lambda: indexed(tmp_path) == len(node.records))
    assert keeper.failures == 0


def test_an_index_of_nonsense_is_dropped_and_built_again(
    node: SyntheticNode, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(b"no database" * 1000)
    keeper = IndexUpdater(str(tmp_path))
    keeper.start()

    wait_for(lambda: indexed(tmp_path) == len(node.records))

    keeper.close(5)
    assert keeper.failures == 1


def test_the_index_goes_first_when_the_disk_gets_full(
    keeper: IndexUpdater, node: SyntheticNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(lambda: keeper.seq == len(node.records))

    monkeypatch.setattr(module, "_LEAST_FREE_BYTES", 1 << 62)

    wait_for(lambda: not (tmp_path / NAME).exists())
    monkeypatch.undo()
    wait_for(lambda: indexed(tmp_path) == len(node.records))


def test_two_never_write_one_index_and_the_second_waits_for_the_first(
    keeper: IndexUpdater, tmp_path: Path
) -> None:
    wait_for(lambda: keeper.seq > 0)
    other = IndexUpdater(str(tmp_path))
    with structlog.testing.capture_logs() as logged:
        other.start()
        wait_for(lambda: len(logged) > 1)
    assert {entry["event"] for entry in logged} == {"index.written_elsewhere"}
    assert other.seq == 0

    keeper.close(5)

    wait_for(lambda: other.seq > 0)
    other.close(5)
    assert other.failures == 0


def test_a_ledger_that_is_not_there_yet_is_waited_for_and_is_no_failure(tmp_path: Path) -> None:
    keeper = IndexUpdater(str(tmp_path / "ledger"))
    keeper.start()
    time.sleep(0.1)

    node = example_node()
    node.write(tmp_path / "ledger")

    wait_for(lambda: keeper.seq == len(node.records))
    assert keeper.failures == 0
    keeper.close(5)


def test_a_reader_is_never_in_the_way_of_the_writer(
    keeper: IndexUpdater, node: SyntheticNode, tmp_path: Path
) -> None:
    wait_for(lambda: keeper.seq == len(node.records))
    database = reading(str(tmp_path / NAME))
    assert database is not None
    with closing(database):
        before = usable(database, str(tmp_path))
        node.gap("queue_full")
        node.write(tmp_path)
        keeper.wake()
        wait_for(lambda: keeper.seq == len(node.records))

        assert before == usable(database, str(tmp_path))  # its transaction goes on
    assert keeper.failures == 0
    assert isinstance(database, sqlite3.Connection)


def test_rows_that_somebody_took_out_come_back_and_that_is_a_failure(
    keeper: IndexUpdater, node: SyntheticNode, tmp_path: Path
) -> None:
    wait_for(lambda: keeper.seq == len(node.records))
    with closing(sqlite3.connect(tmp_path / NAME)) as database, database:
        database.execute("DELETE FROM place")
    node.gap("queue_full")
    node.write(tmp_path)
    keeper.wake()

    wait_for(lambda: keeper.failures == 1)
    wait_for(lambda: keeper.seq == len(node.records))
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        assert database.execute("SELECT count(*) FROM place").fetchone() != (0,)


def test_in_a_process_of_its_own_it_gives_way_and_follows_the_ledger(
    node: SyntheticNode, tmp_path: Path
) -> None:
    process = UpdaterProcess(str(tmp_path))
    process.start()
    try:
        wait_for(lambda: indexed(tmp_path) == len(node.records))
        node.gap("queue_full")
        node.write(tmp_path)
        process.wake()

        wait_for(lambda: indexed(tmp_path) == len(node.records))
        assert process._process is not None
        process._process.terminate()  # as for the whole service: it ends with the daemon
        pid = process._process.pid
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    finally:
        process.close(5)

    assert process.failures == 0
    assert not os.path.exists(f"/proc/{pid}")


def test_a_process_that_is_killed_is_started_again(node: SyntheticNode, tmp_path: Path) -> None:
    process = UpdaterProcess(str(tmp_path))
    process.start()
    try:
        wait_for(lambda: indexed(tmp_path) == len(node.records))
        assert process._process is not None
        process._process.kill()
        wait_for(lambda: process.failures == 1)
        node.gap("queue_full")
        node.write(tmp_path)

        wait_for(lambda: indexed(tmp_path) == len(node.records))
    finally:
        process.close(5)
