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
from nsledger.ledger.verify import Note, verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import LedgerCreated, LedgerUnattested, Source
from nsledger.model.record import encode
from nsledger.recorder.checkpointer import Checkpointer, Schedule
from nsledger.recorder.recorder import Recorder
from tests import recording

SOON_S = 30.0


class Node:
    """A recorder and a checkpointer, in one directory."""

    def __init__(
        self, directory: Path, *, every_records: int, every_s: float = 3600, attest: bool = True
    ) -> None:
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
            recorder=self.recorder,
            attest=attest,
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


def told(ledger: Path) -> list[tuple[int, int, str]]:
    """What the ledger says that nobody vouches for."""
    events = [record.event for record in recording.records(ledger)]
    return [
        (event.from_seq, event.through_seq, event.reason)
        for event in events
        if isinstance(event, LedgerUnattested)
    ]


def run_once(directory: Path, count: int = 5, *, attest: bool = True) -> Node:
    node = Node(directory, every_records=100, attest=attest)
    if not node.key.exists():
        generate(str(node.key))
    before = len(node.signed)
    node.start()
    node.record(count)
    eventually(lambda: node.has_signed(before + 1))
    node.close()
    return node


def test_a_clean_stop_signs_the_last_record_and_the_next_start_has_nothing_to_say(
    tmp_path: Path,
) -> None:
    for _ in range(3):
        node = run_once(tmp_path)
        assert node.signed[-1].head.seq == len(recording.records(node.ledger))

    assert told(node.ledger) == []


def test_what_was_written_while_no_daemon_ran_is_on_record_before_it_is_signed(
    tmp_path: Path,
) -> None:
    node = run_once(tmp_path)
    last = node.signed[-1].head.seq
    forger = LedgerWriter.open(str(node.ledger))
    forger.append([recording_line(number) for number in (1, 2, 3)])
    forger.close()

    run_once(tmp_path)

    assert told(node.ledger) == [(last + 1, last + 3, "")]
    said = next(
        record.seq
        for record in recording.records(node.ledger)
        if isinstance(record.event, LedgerUnattested)
    )
    later = [one.head.seq for one in node.signed if one.head.seq > last]
    assert min(later) >= said
    assert [(note.event, note.from_seq, note.through_seq) for note in notes(node.ledger)] == [
        ("ledger.unattested", last + 1, last + 3)
    ]


def notes(ledger: Path) -> tuple[Note, ...]:
    return verify(str(ledger)).notes


def test_a_ledger_that_was_never_signed_and_one_that_was_rewritten_are_said_so(
    tmp_path: Path,
) -> None:
    writer = LedgerWriter.open(str(tmp_path / "ledger"))
    writer.append([recording_line(number) for number in range(4)])
    writer.close()
    node = run_once(tmp_path)
    assert told(node.ledger) == [(1, 4, "no_checkpoint")]

    run_once(tmp_path)
    assert told(node.ledger) == [(1, 4, "no_checkpoint")], "all of that is signed now"

    *_, last = node.signed
    # How many checkpoints a short run writes is a matter of time.
    kept = max(one.head.seq for one in node.signed if one.head.seq < last.head.seq)
    path = node.ledger / "00000000000000000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: last.head.seq - 1]))
    run_once(tmp_path, 1)

    assert told(node.ledger)[1:] == [(kept + 1, last.head.seq - 1, "rewritten")]


def recording_line(number: int) -> bytes:
    created = LedgerCreated(source=Source.DAEMON, ledger_id=recording.LEDGER_ID)
    return encode(recording.event(number) if number else created, recording.now())


def test_a_successor_says_nothing_of_what_its_predecessor_watched(tmp_path: Path) -> None:
    node = run_once(tmp_path)
    writer = LedgerWriter.open(str(node.ledger))
    writer.append([recording_line(1)])
    writer.close()

    run_once(tmp_path, attest=False)

    assert told(node.ledger) == []


def test_an_entry_is_signed_when_somebody_waits_for_it(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1000)
    generate(str(node.key))
    node.start()
    node.record(10)
    eventually(lambda: node.has_signed(1))
    seq = len(recording.records(node.ledger)) + 1
    node.recorder.record(recording.event("x"), at=recording.now(), sync=True).wait(SOON_S)

    assert node.checkpointer.cover(seq, SOON_S)
    assert node.signed[-1].head.seq >= seq
    assert not node.checkpointer.cover(seq + 1000, 0.05)
    node.close()


def test_where_there_is_no_key_nobody_waits(tmp_path: Path) -> None:
    node = Node(tmp_path, every_records=1000)
    node.start()

    assert node.checkpointer.cover(10, SOON_S)
    node.close()
