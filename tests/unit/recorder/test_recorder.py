from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import Event, Gap
from nsledger.model.record import Moment, encode
from nsledger.recorder.journal import LeftBehind, WriteAhead, left_behind, records_in
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.ticket import RecordLostError
from tests import recording
from tests.failing_disk import FailingDisk

SOON_S = 30.0
"""Generous: only a test that fails waits this long."""


def recorder_of(
    directory: Path,
    *,
    queue_limit: int = 1000,
    ahead: WriteAhead | None = None,
    find_left_behind: Callable[[], LeftBehind] = LeftBehind,
) -> Recorder:
    return Recorder(
        lambda: LedgerWriter.open(str(directory)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        queue_limit=queue_limit,
        sync_interval_s=0.02,
        ahead=ahead,
        find_left_behind=find_left_behind,
    )


@pytest.fixture
def recorder(tmp_path: Path, disk: FailingDisk) -> Iterator[Recorder]:
    recorder = recorder_of(tmp_path)
    recorder.start()
    yield recorder
    disk.works()
    recorder.close(SOON_S)


def eventually(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.001)


def gaps(directory: Path) -> list[tuple[str, int | None, str]]:
    events = [record.event for record in recording.records(directory)]
    return [(gap.reason, gap.count, gap.detail) for gap in events if isinstance(gap, Gap)]


def test_an_event_is_in_the_ledger_when_its_ticket_is_done(
    tmp_path: Path, recorder: Recorder
) -> None:
    ticket = recorder.record(recording.event("one"), at=recording.now())

    assert ticket.wait(SOON_S)
    assert ticket.error is None
    assert ticket.seq == 2
    assert recording.words(tmp_path) == ["ledger.created", "one"]


def test_records_are_synced_within_the_interval_without_anyone_asking(recorder: Recorder) -> None:
    recorder.record(recording.event("one"), at=recording.now()).wait(SOON_S)

    eventually(lambda: recorder.synced == recorder.appended == 2)


def test_the_order_of_the_ledger_is_the_order_of_the_calls_of_each_thread(
    tmp_path: Path, recorder: Recorder
) -> None:
    def say(name: str) -> None:
        for number in range(200):
            recorder.record(recording.event(f"{name}{number}"), at=recording.now())

    threads = [threading.Thread(target=say, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.close(SOON_S) == 0

    words = recording.words(tmp_path)
    assert len(words) == 801
    for name in "abcd":
        mine = [word for word in words if word.startswith(name)]
        assert mine == [f"{name}{number}" for number in range(200)]


def test_closing_writes_and_syncs_what_is_there(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path)
    recorder.start()
    for number in range(500):
        recorder.record(recording.event(number), at=recording.now())
    recorder.gap("oversized")

    assert recorder.close(SOON_S) == 0

    assert recorder.synced == recorder.appended == 502
    assert verify(str(tmp_path)).head.seq == 502


def test_what_comes_after_the_end_is_lost_and_known_to_be(
    tmp_path: Path,
) -> None:
    recorder = recorder_of(tmp_path)
    recorder.start()
    recorder.close(SOON_S)

    ticket = recorder.record(recording.event("late"), at=recording.now())

    assert isinstance(ticket.error, RecordLostError)
    assert ticket.error.reason == "closed"
    assert recorder.dropped == 1


def test_listeners_hear_of_each_entry_in_order_and_only_after_it_is_written(
    tmp_path: Path,
) -> None:
    recorder = recorder_of(tmp_path)
    heard: list[tuple[int, int, Event]] = []

    def listen(seq: int, at: Moment, event: Event) -> None:
        assert recorder.appended >= seq
        heard.append((seq, at.mono_ns, event))

    recorder.subscribe(recording.mistake)
    recorder.subscribe(listen)
    recorder.start()
    for number in range(5):
        recorder.record(recording.event(number), at=recording.now())
    recorder.close(SOON_S)

    records = recording.records(tmp_path)
    assert heard == [(record.seq, record.mono_ns, record.event) for record in records]


def test_recording_never_waits_for_the_disk(
    tmp_path: Path, recorder: Recorder, disk: FailingDisk
) -> None:
    free = threading.Event()
    disk.waits(free.wait)
    recorder.record(recording.event("stuck"), at=recording.now())

    started_s = time.monotonic()
    tickets = [recorder.record(recording.event(n), at=recording.now()) for n in range(100)]
    took_s = time.monotonic() - started_s

    assert not any(ticket.done for ticket in tickets)
    free.set()
    assert tickets[-1].wait(SOON_S)
    assert took_s < 1


def test_a_full_disk_is_a_gap_and_no_wait(tmp_path: Path, disk: FailingDisk) -> None:
    recorder = recorder_of(tmp_path, queue_limit=10)
    recorder.start()
    recorder.record(recording.event("before"), at=recording.now()).wait(SOON_S)
    disk.fails(errno.ENOSPC)
    first = recorder.record(recording.event(0), at=recording.now())
    assert first.wait(SOON_S)
    assert isinstance(first.error, OSError)

    tickets = [recorder.record(recording.event(n), at=recording.now()) for n in range(1, 100)]

    assert all(ticket.wait(SOON_S) for ticket in tickets)
    assert all(ticket.error is not None for ticket in tickets)
    assert isinstance(recorder.failing, OSError)
    assert recorder.failures["ENOSPC"] >= 1
    assert recorder.queue_depth == 10
    assert recorder.dropped == 90
    assert recorder.appended == 2

    disk.works()
    eventually(lambda: recorder.failing is None)
    assert recorder.close(SOON_S) == 0

    kept = [str(number) for number in range(10)]
    assert recording.words(tmp_path) == ["ledger.created", "before", *kept, "disk_full"]
    assert gaps(tmp_path) == [("disk_full", 90, "daemon.stopped")]
    assert verify(str(tmp_path)).head.seq == recorder.appended


def test_a_disk_that_fails_from_the_start_loses_nothing(tmp_path: Path, disk: FailingDisk) -> None:
    disk.fails(errno.EROFS, at="mkdir")
    recorder = recorder_of(tmp_path / "ledger")
    recorder.start()
    ticket = recorder.record(recording.event("early"), at=recording.now())
    assert ticket.wait(SOON_S)
    disk.works()

    eventually(lambda: recorder.appended == 2)
    assert recorder.close(SOON_S) == 0

    assert recording.words(tmp_path / "ledger") == ["ledger.created", "early"]


def test_a_gap_is_written_at_once_and_a_storm_of_them_is_one_record(
    tmp_path: Path, recorder: Recorder
) -> None:
    recorder.gap("oversized", detail="first")
    eventually(lambda: recorder.appended == 2)

    for _ in range(10):
        recorder.gap("oversized")
        recorder.gap("undecodable", 7)
        recorder.record(recording.event("beside"), at=recording.now()).wait(SOON_S)
    assert recorder.appended == 12
    assert recorder.close(SOON_S) == 0

    assert gaps(tmp_path) == [
        ("oversized", 1, "first"),
        ("oversized", 10, ""),
        ("undecodable", 70, ""),
    ]
    assert recorder.gaps == {"oversized": 11, "undecodable": 70}


def test_an_event_that_cannot_be_encoded_is_a_gap(tmp_path: Path, recorder: Recorder) -> None:
    ticket = recorder.record(recording.unencodable(), at=recording.now())

    assert ticket.wait(SOON_S)
    assert isinstance(ticket.error, RecordLostError)
    recorder.close(SOON_S)
    assert gaps(tmp_path) == [("unencodable", 1, "daemon.stopped")]


def test_an_event_whose_caller_has_a_copy_is_no_gap(tmp_path: Path, disk: FailingDisk) -> None:
    recorder = recorder_of(tmp_path, queue_limit=0)
    recorder.start()

    ticket = recorder.record(recording.event("one"), at=recording.now(), retry=False)

    assert isinstance(ticket.error, RecordLostError)
    assert recorder.close(SOON_S) == 0
    assert recorder.dropped == 0
    assert gaps(tmp_path) == []


def test_closing_gives_up_in_time_and_says_how_much_is_lost(
    tmp_path: Path, disk: FailingDisk
) -> None:
    recorder = recorder_of(tmp_path)
    recorder.start()
    recorder.record(recording.event("before"), at=recording.now()).wait(SOON_S)
    disk.fails(errno.EIO)
    ticket = recorder.record(recording.event("lost"), at=recording.now())
    recorder.gap("oversized")
    eventually(lambda: recorder.failures["EIO"] == 5)  # the next try is most of a second away

    lost = recorder.close(0.01)

    assert lost == 2
    assert isinstance(ticket.error, OSError)
    assert not recorder._thread.is_alive()
    disk.works()
    LedgerWriter.open(str(tmp_path)).close()


def test_closing_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, disk: FailingDisk) -> None:
    free = threading.Event()
    recorder = recorder_of(tmp_path)
    recorder.start()
    recorder.record(recording.event("before"), at=recording.now()).wait(SOON_S)
    disk.waits(free.wait)
    stuck = recorder.record(recording.event("stuck"), at=recording.now())
    eventually(recorder._queue.empty)
    behind = recorder.record(recording.event("behind"), at=recording.now())

    assert recorder.close(0.1) >= 2

    free.set()
    recorder._thread.join(SOON_S)
    assert stuck.error is None
    assert isinstance(behind.error, RecordLostError)


def test_a_disk_that_hangs_in_a_sync_delays_no_other_record(
    tmp_path: Path, recorder: Recorder, disk: FailingDisk
) -> None:
    begun, hangs = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        hangs.wait(SOON_S)

    recorder.record(recording.event("first"), at=recording.now()).wait(SOON_S)
    eventually(lambda: recorder.synced == recorder.appended)
    disk.waits(hang, at="fdatasync")

    synced = recorder.record(recording.event("synced"), at=recording.now(), sync=True)
    assert begun.wait(SOON_S)
    written = recorder.record(recording.event("written"), at=recording.now())

    assert written.wait(SOON_S / 2)
    assert not synced.done
    assert recording.words(tmp_path) == ["ledger.created", "first", "synced", "written"]
    hangs.set()
    assert synced.wait(SOON_S)
    assert synced.error is None
    eventually(lambda: recorder.synced == recorder.appended)


def test_a_disk_that_hangs_does_not_keep_the_recorder_from_its_end(
    tmp_path: Path, recorder: Recorder, disk: FailingDisk
) -> None:
    hangs = threading.Event()
    disk.waits(lambda: hangs.wait(SOON_S), at="fdatasync")
    recorder.record(recording.event("first"), at=recording.now())
    started_s, cpu_s = time.monotonic(), time.process_time()

    recorder.close(0.3)

    assert time.monotonic() - started_s < SOON_S / 2
    assert time.process_time() - cpu_s < 0.2  # of 0.3 s, if it did not sleep
    hangs.set()
    assert recording.words(tmp_path) == ["ledger.created", "first"]
    assert verify(str(tmp_path)).head.seq == 2


def test_what_is_kept_ahead_needs_no_disk_and_is_written_when_that_works(
    tmp_path: Path, disk: FailingDisk
) -> None:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory:
        ahead = WriteAhead.create(memory, str(tmp_path))
        recorder = recorder_of(tmp_path, ahead=ahead)
        recorder.start()
        recorder.record(recording.event("first"), at=recording.now()).wait(SOON_S)
        disk.fails(errno.ENOSPC)

        assert ahead is not None
        assert recorder.record_ahead(recording.event("kept"), at=recording.now())
        eventually(lambda: recorder.failing)
        kept = list(records_in(Path(ahead.path).read_bytes()))
        disk.works()
        eventually(lambda: recorder.appended == 3)

        assert [b'"reason":"kept"' in record for record in kept] == [True]
        assert recorder.close(SOON_S) == 0
        assert os.listdir(memory) == []
    assert recording.words(tmp_path) == ["ledger.created", "first", "kept"]


def test_what_memory_has_no_room_for_is_recorded_as_ever(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory:
        ahead = WriteAhead.create(memory, str(tmp_path))
        assert ahead is not None
        while ahead.put(b"x" * 100):
            pass
        recorder = recorder_of(tmp_path, ahead=ahead)
        recorder.start()
        recorder.record(recording.event("first"), at=recording.now()).wait(SOON_S)

        assert not recorder.record_ahead(recording.event("refused"), at=recording.now())
        recorder.close(SOON_S)
    assert recording.words(tmp_path) == ["ledger.created", "first"]


def test_without_a_ledger_of_its_own_nothing_is_kept_ahead(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory:
        recorder = recorder_of(tmp_path, ahead=WriteAhead.create(memory, str(tmp_path)))

        assert not recorder.record_ahead(recording.event("early"), at=recording.now())
        recorder.start()
        recorder.close(SOON_S)


def test_what_a_killed_process_had_kept_comes_first_into_the_ledger(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory:
        dead = WriteAhead.create(memory, str(tmp_path))
        assert dead is not None
        dead.put(encode(recording.event("left"), recording.now()))
        dead.close(all_settled=False)
        recorder = recorder_of(
            tmp_path, find_left_behind=lambda: left_behind(memory, str(tmp_path))
        )
        recorder.record(recording.event("new"), at=recording.now())
        recorder.start()
        recorder.close(SOON_S)

        assert os.listdir(memory) == []
    assert recording.words(tmp_path) == ["ledger.created", "left", "new"]
