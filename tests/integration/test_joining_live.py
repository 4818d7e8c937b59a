"""`nsledger join` on a stream that goes on, beside a ledger that does too."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nsledger.index import lock
from nsledger.index.builder import Builder
from nsledger.index.opening import NAME
from nsledger.index.store import Mark, make_quick, make_tables
from nsledger.ledger.writer import LedgerWriter
from tests import programs
from tests.synthetic_node import MNT, SyntheticNode


class LiveNode:
    """A node of now, its ledger, and the index that a daemon would keep."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.node = SyntheticNode(start_ns=time.time_ns() - 10**9)
        self.node.create_ledger()
        self.node.start_daemon()
        self._written = 0
        self.write()

    def write(self) -> None:
        """Put into the ledger what happened since."""
        writer = LedgerWriter.open(str(self.ledger))
        writer.append(self.node.records[self._written :])
        writer.close()
        self._written = len(self.node.records)

    def run_container(self, pod_name: str) -> int:
        """Start a pod with a container; the inode of its mount namespace. Nothing is written."""
        self.node.now_ns = time.time_ns()
        container = self.node.run_container(self.node.run_pod(pod_name), "app")
        return self.node.readings[container].namespaces[MNT].ino

    def index(self) -> None:
        """Bring the index up to date."""
        with lock.locked(str(self.ledger)) as path, lock.writing(path) as database:
            with contextlib.suppress(sqlite3.Error):
                make_tables(database)
                make_quick(database)
            Builder(database, str(self.ledger), Mark()).extend()


@pytest.fixture
def live(tmp_path: Path) -> LiveNode:
    return LiveNode(tmp_path / "ledger")


class Join:
    """A running `nsledger join`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def send(self, **event: object) -> None:
        """Have an event come in."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(event).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """What the next event got."""
        assert self._process.stdout
        found: dict[str, Any] = json.loads(self._process.stdout.readline())["nsledger"]
        return found


@pytest.fixture
def join(live: LiveNode) -> Iterator[Join]:
    with subprocess.Popen(
        [*programs.COMMAND, "join"],
        env=programs.environment(live.ledger),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield Join(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 0


def test_what_comes_on_record_after_its_start_is_found(live: LiveNode, join: Join) -> None:
    ino = live.run_container("first")
    live.write()
    join.send(mntns_id=ino)
    assert join.answer()["pod"] == "first"

    time.sleep(1.1)
    ino = live.run_container("second")
    live.write()
    join.send(mntns_id=ino)

    assert join.answer()["pod"] == "second"


def test_an_event_that_is_quicker_than_its_record_waits_for_it(live: LiveNode, join: Join) -> None:
    join.send(mntns_id=1)
    join.answer()
    ino = live.run_container("web")
    join.send(mntns_id=ino, timestamp=live.node.now_ns / 1e9 + 1e-3)
    time.sleep(0.4)
    live.write()

    assert join.answer()["pod"] == "web"


def test_what_never_comes_is_unknown_soon(live: LiveNode, join: Join) -> None:
    join.send(mntns_id=1)
    join.answer()

    began_s = time.monotonic()
    for _ in range(20):
        join.send(mntns_id=1, timestamp=time.time())
    answers = [join.answer() for _ in range(20)]

    assert {one["outcome"] for one in answers} == {"unknown"}
    assert time.monotonic() - began_s < 4


def test_while_nothing_comes_the_index_is_left_to_its_writer(live: LiveNode, join: Join) -> None:
    ino = live.run_container("web")
    live.write()
    live.index()
    join.send(mntns_id=ino)
    assert join.answer()["pod"] == "web"
    time.sleep(0.6)

    with contextlib.closing(sqlite3.connect(live.ledger / NAME)) as database:
        database.execute("CREATE TABLE more (one)")
        busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    assert busy == 0
