from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import structlog

from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import VerifyingKey, generate
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.recorder.checkpointer import Checkpointer, Schedule
from nsledger.recorder.recorder import Recorder
from tests import recording

SOON_S = 30.0


class Node:
    """A recorder and a checkpointer, in one directory."""

    def __init__(self, directory: Path, *, every_records: int, every_s: float) -> None:
        self.ledger, self.file = directory / "ledger", directory / "checkpoints"
        self.key = directory / "key"
        self.recorder = Recorder(
            lambda: LedgerWriter.open(str(self.ledger)),
            now=recording.now,
            new_ledger_id=lambda: recording.LEDGER_ID,
            sync_interval_s=0.005,
        )
        self.checkpointer = Checkpointer(
            ledger=str(self.ledger),
            key=str(self.key),
            file=str(self.file),
            schedule=Schedule(every_records=every_records, every_s=every_s, least_s=0.01),
            now=recording.now,
        )
        self.recorder.on_synced(self.checkpointer.synced)

    def start(self) -> None:
        self.checkpointer.start()
        self.recorder.start()

    def record(self, count: int) -> None:
        tickets = [
            self.recorder.record(recording.event(number), at=recording.now(), sync=True)
            for number in range(count)
        ]
        assert tickets[-1].wait(SOON_S)

    def close(self) -> None:
        assert self.recorder.close(SOON_S) == 0
        self.checkpointer.close(SOON_S)

    def has_signed(self, count: int) -> bool:
        return len(self.signed) >= count

    @property
    def signed(self) -> tuple[Checkpoint, ...]:
        """Empty, or not there yet, is none yet."""
        begun = self.file.exists() and self.file.stat().st_size
        return checkpoint_file.read(str(self.file)) if begun else ()


def eventually(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.002)


def test_every_checkpoint_is_signed_and_agrees_with_the_ledger(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=10, every_s=3600)
    key_id = generate(str(node.key))
    node.start()
    for rounds in range(1, 6):
        node.record(20)
        eventually(partial(node.has_signed, rounds))
    node.close()

    assert {one.key_id for one in node.signed} == {key_id}
    assert {one.ledger_id for one in node.signed} == {recording.LEDGER_ID}
    for one in node.signed:
        VerifyingKey.load(f"{node.key}.pub").check(one)
    verified = verify(str(node.ledger), checkpoints=node.signed)
    assert verified.compared == len(node.signed) >= 5


def test_the_last_checkpoint_is_of_the_last_record(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1000, every_s=3600)
    generate(str(node.key))
    node.start()
    node.record(7)
    node.close()

    assert node.signed[-1].head == verify(str(node.ledger)).head


def test_time_alone_brings_a_checkpoint_and_nothing_new_brings_none(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1000, every_s=0.05)
    generate(str(node.key))
    node.start()
    node.record(3)
    eventually(lambda: node.signed and node.signed[-1].head.seq == 4)
    count = len(node.signed)
    time.sleep(0.2)

    assert len(node.signed) == count
    node.close()


def test_only_what_is_synced_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path, every_records=1, every_s=0.01)
    generate(str(node.key))
    node.start()
    node.record(3)
    eventually(lambda: node.signed and node.signed[-1].head.seq == 4)

    def refuses(_: LedgerWriter) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(LedgerWriter, "begin_sync", refuses)
        ticket = node.recorder.record(recording.event("x"), at=recording.now(), sync=True)
        assert ticket.wait(SOON_S)
        time.sleep(0.1)
        assert ticket.seq == 5
        assert node.signed[-1].head.seq == 4
    node.close()
    assert node.signed[-1].head.seq == 5


def test_without_a_key_nothing_is_written(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1, every_s=0.01)
    with structlog.testing.capture_logs() as logged:
        node.start()
        node.record(3)
        node.close()

    assert not node.file.exists()
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("checkpoint.turned_off", "info")
    ]


def test_a_key_that_others_can_read_turns_them_off_aloud_and_records_go_on(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1, every_s=0.01)
    generate(str(node.key))
    node.key.chmod(0o644)
    with structlog.testing.capture_logs() as logged:
        node.start()
        node.record(3)
        node.close()

    assert not node.file.exists()
    assert verify(str(node.ledger)).head.seq == 4
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("checkpoint.turned_off", "error")
    ]


def test_where_the_file_cannot_be_written_the_log_has_the_checkpoint(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1, every_s=0.01)
    generate(str(node.key))
    node.file.mkdir()
    with structlog.testing.capture_logs() as logged:
        node.start()
        node.record(3)
        node.close()

    failed = [entry for entry in logged if entry["event"] == "checkpoint.failed"]
    last = Checkpoint.parse(failed[-1]["checkpoint"])
    VerifyingKey.load(f"{node.key}.pub").check(last)
    assert last.head == verify(str(node.ledger)).head
    assert "PRIVATE" not in json.dumps(logged)


def test_a_later_daemon_goes_on_with_the_file(tmp_path: Path) -> None:
    for _ in range(2):
        node = Node(tmp_path, every_records=1000, every_s=3600)
        if not node.key.exists():
            generate(str(node.key))
        node.start()
        node.record(3)
        node.close()

    seqs = [one.head.seq for one in node.signed]
    assert seqs == sorted(set(seqs))
    assert verify(str(node.ledger), checkpoints=node.signed).signed_through == seqs[-1]
