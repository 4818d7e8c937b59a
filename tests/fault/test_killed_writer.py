"""kill -9 at random moments under load: what was acknowledged is there, and the chain holds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import UNCLEAN_STOP, Gap, LedgerRecovered
from nsledger.recorder.group_commit import GroupCommit
from tests import ledgers, recording
from tests.fault import appender

KILLS = int(os.environ.get("NSLEDGER_KILLS", "50"))
"""`NSLEDGER_KILLS=1000` takes some minutes."""
LONGEST_LIFE_S = 0.1


class Nursery:
    """Makes writers, and kills them."""

    def __init__(self, orders: IO[str], said: IO[str]) -> None:
        self._orders = orders
        self._said = said

    def life(self, number: int, life_s: float) -> set[int]:
        """Let one record events from `number` on; the numbers that it acknowledged."""
        self._orders.write(f"{number}\n")
        self._orders.flush()
        acknowledged: set[int] = set()
        for line in self._said:
            match line.split():
                case ["born", pid]:
                    time.sleep(life_s)
                    os.kill(int(pid), signal.SIGKILL)
                case ["buried", _]:
                    return acknowledged
                case [_, done]:
                    acknowledged.add(int(done))
                case _:
                    pytest.fail(line)
        pytest.fail("the nursery ended")


@contextmanager
def nursery(directory: Path) -> Iterator[Nursery]:
    command = [sys.executable, appender.__file__, "nursery", str(directory)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Nursery(process.stdin, process.stdout)


def newest_segment(directory: Path) -> Path:
    """The one that a writer goes on in."""
    return max(directory.glob("*.jsonl"), default=ledgers.segment(directory))


@pytest.mark.fault
def test_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    acknowledged: set[int] = set()
    LedgerWriter.open(str(tmp_path)).close()

    with nursery(tmp_path) as writers:
        for round_ in range(KILLS):
            life_s = chance.uniform(0, LONGEST_LIFE_S)
            acknowledged |= writers.life(round_ * 1_000_000, life_s)
            if round_ % 10 == 0:
                verify(str(tmp_path))
            # A write of this size is seldom caught half done, so help: half an entry more.
            if chance.random() < 0.5:
                with newest_segment(tmp_path).open("ab") as segment:
                    segment.write(b'{"seq":1')

    last = GroupCommit(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=1,
    )
    last.write(0)
    last.close()
    assert verify(str(tmp_path)).unfinished_bytes == 0
    written = {int(word) for word in recording.words(tmp_path) if word.isdigit()}
    assert len(acknowledged) > KILLS
    assert acknowledged <= written
    assert list(tmp_path.glob("*.zst")), "closed segments were compressed between the kills"
    kept = {path.name for path in tmp_path.glob("torn-*")}
    events = [record.event for record in recording.records(tmp_path)]
    gaps = [event for event in events if isinstance(event, Gap)]
    # No daemon's start is in this ledger, so whether a stop was unclean may be unknown.
    assert {(gap.reason, gap.count) for gap in gaps} <= {(UNCLEAN_STOP, None)}
    assert kept == {event.kept_as for event in events if isinstance(event, LedgerRecovered)}
