from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nsledger.ledger.disk_room import RoomLimits
from nsledger.ledger.errors import LedgerLockedError
from nsledger.ledger.line import MAX_RECORD_BYTES
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import (
    UNCLEAN_STOP,
    Alteration,
    ClockStepped,
    DaemonStopped,
    Event,
    LedgerCreated,
    LedgerRecovered,
    NodeRebooted,
    PodRemoved,
    SegmentAltered,
    Source,
)
from nsledger.model.record import Moment
from nsledger.model.refs import PodRef
from nsledger.recorder import disk_gate, group_commit
from nsledger.recorder.disk_gate import UNLIMITED, DiskFullError, WriterLimits
from nsledger.recorder.group_commit import GroupCommit
from nsledger.recorder.previous_session import last_moment
from nsledger.recorder.rotation import NEVER, RotationLimits
from nsledger.recorder.syncer import at_once
from nsledger.recorder.ticket import RecordLostError, Ticket
from tests import ledgers, recording
from tests.failing_disk import FailingDisk

INTERVAL_S = 0.05


@pytest.fixture
def commit(tmp_path: Path, disk: FailingDisk) -> Iterator[GroupCommit]:
    commit = commit_to(tmp_path)
    yield commit
    disk.works()
    commit.close()


def commit_to(
    directory: Path,
    limits: WriterLimits = UNLIMITED,
    run_sync: Callable[[Callable[[], None]], None] = at_once,
) -> GroupCommit:
    return GroupCommit(
        lambda: LedgerWriter.open(str(directory)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=INTERVAL_S,
        limits=limits,
        run_sync=run_sync,
    )


def ticket(word: str | int, *, sync: bool = False, retry: bool = True) -> Ticket:
    return Ticket(recording.event(word), recording.now(), sync=sync, retry=retry)


def test_a_new_ledger_begins_with_its_creation(tmp_path: Path, commit: GroupCommit) -> None:
    commit.take_in(ticket("first"))
    commit.write(0)

    created, first = recording.records(tmp_path)
    assert created.event == LedgerCreated(source=Source.DAEMON, ledger_id=recording.LEDGER_ID)
    assert created.seq == 1
    assert first.event == recording.event("first")


def test_a_crash_of_the_writer_before_is_on_record(tmp_path: Path) -> None:
    for round_ in range(2):
        commit = commit_to(tmp_path)
        commit.take_in(ticket(round_))
        commit.write(0)
        commit.close()
        with ledgers.segment(tmp_path).open("ab") as file:
            file.write(b"torn")

    events = [record.event for record in recording.records(tmp_path)]
    assert events[2] == LedgerRecovered(
        source=Source.DAEMON, torn_bytes=4, kept_as="torn-00000000000000000003-1", from_seq=3
    )
    assert len(events) == 4


def test_an_event_is_done_when_it_is_written_and_a_synced_one_when_it_is_synced(
    commit: GroupCommit, disk: FailingDisk
) -> None:
    commit.write(0)
    order: list[str] = []
    disk.waits(lambda: order.append("write"))
    disk.waits(lambda: order.append("sync"), at="fdatasync")
    plain, synced = ticket("plain"), ticket("synced", sync=True)
    plain.on_done(lambda: order.append("plain done"))
    synced.on_done(lambda: order.append("synced done"))
    for each in (plain, synced):
        commit.take_in(each)

    assert [each.seq for each in commit.write(0)] == [2, 3]

    assert order == ["write", "plain done", "sync", "synced done"]
    assert (plain.seq, synced.seq) == (2, 3)


def test_a_record_is_synced_when_its_time_has_come(commit: GroupCommit) -> None:
    commit.take_in(ticket(1))
    commit.write(10)
    assert commit.sync_at_s == 10 + INTERVAL_S
    commit.take_in(ticket(2))
    commit.write(10.04)
    assert (commit.appended, commit.synced) == (3, 0)

    commit.write(10.051)

    assert (commit.appended, commit.synced) == (3, 3)
    assert commit.sync_at_s == NEVER


def test_what_could_wait_is_synced_on_demand(commit: GroupCommit) -> None:
    commit.take_in(ticket(1))
    commit.write(10, sync=True)

    assert commit.synced == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_while_the_disk_fails_callers_are_told_and_events_are_kept(
    tmp_path: Path, commit: GroupCommit, disk: FailingDisk, code: int
) -> None:
    disk.fails(code)
    before, after = ticket("before"), ticket("after")
    commit.take_in(before)
    assert commit.write(0) == []
    commit.take_in(after)

    for each in (before, after):
        assert isinstance(each.error, OSError)
        assert each.error.errno == code
        assert each.seq is None
    assert commit.failures == {errno.errorcode[code]: 1}
    assert (commit.appended, commit.waiting) == (0, 2)

    disk.works()
    commit.write(commit.retry_at_s)

    assert commit.failing is None
    assert (commit.appended, commit.waiting) == (3, 0)
    assert recording.words(tmp_path) == ["ledger.created", "before", "after"]
    assert before.done
    assert isinstance(before.error, OSError)


def test_an_event_whose_caller_has_a_copy_is_not_kept(
    tmp_path: Path, commit: GroupCommit, disk: FailingDisk
) -> None:
    disk.fails()
    for retry in (True, False):
        commit.take_in(ticket(f"before, {retry}", retry=retry))
    commit.write(0)
    for retry in (True, False):
        commit.take_in(ticket(f"during, {retry}", retry=retry))

    disk.works()
    commit.write(commit.retry_at_s)

    assert recording.words(tmp_path) == ["ledger.created", "before, True", "during, True"]


def test_a_failed_sync_fails_only_who_waits_for_it_and_is_tried_again(
    tmp_path: Path, commit: GroupCommit, disk: FailingDisk
) -> None:
    plain, synced = ticket("plain"), ticket("synced", sync=True)
    disk.fails(errno.EIO, at="fdatasync")
    for each in (plain, synced):
        commit.take_in(each)
    written = commit.write(0)

    assert [each.seq for each in written] == [1, 2, 3]
    assert plain.done
    assert plain.error is None
    assert isinstance(synced.error, OSError)
    assert (commit.appended, commit.synced) == (3, 0)

    disk.works()
    commit.write(commit.retry_at_s)

    assert commit.synced == 3
    assert recording.words(tmp_path) == ["ledger.created", "plain", "synced"]


def test_tries_get_rarer_while_the_disk_fails_and_start_over_when_it_works(
    commit: GroupCommit, disk: FailingDisk
) -> None:
    disk.fails()
    waits: list[float] = []
    for _ in range(10):
        commit.write(0)
        waits.append(commit.retry_at_s)
    disk.works()
    commit.write(0)
    disk.fails(at="open")
    assert waits == sorted(waits)
    assert waits[0] == group_commit._FIRST_RETRY_S
    assert waits[-1] == group_commit._LONGEST_RETRY_S

    disk.fails()
    commit.take_in(ticket(1))
    commit.write(0)
    assert commit.retry_at_s == waits[0]


def test_a_ledger_that_another_process_still_writes_is_waited_for(
    tmp_path: Path, commit: GroupCommit
) -> None:
    other = LedgerWriter.open(str(tmp_path))
    waiting = ticket("waiting")
    commit.take_in(waiting)
    commit.write(0)
    assert isinstance(commit.failing, LedgerLockedError)
    assert commit.failures == {"LedgerLockedError": 1}

    other.close()
    commit.write(commit.retry_at_s)

    assert recording.words(tmp_path) == ["ledger.created", "waiting"]


def test_a_batch_that_failed_is_written_as_the_same_lines_later(
    tmp_path: Path, commit: GroupCommit, disk: FailingDisk
) -> None:
    for number in range(group_commit._BATCH + 10):
        commit.take_in(ticket(number))
    disk.fails()
    commit.write(0)
    disk.works()

    commit.write(commit.retry_at_s)

    numbers = [str(number) for number in range(group_commit._BATCH + 10)]
    assert recording.words(tmp_path) == ["ledger.created", *numbers]
    assert verify(str(tmp_path)).head.seq == len(numbers) + 1


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("oversized", recording.event("x" * MAX_RECORD_BYTES)),
        ("unencodable", recording.unencodable()),
    ],
    ids=["oversized", "unencodable"],
)
def test_what_no_ledger_can_hold_is_refused_and_stops_nobody(
    tmp_path: Path, commit: GroupCommit, reason: str, event: Event
) -> None:
    with pytest.raises(RecordLostError) as caught:
        commit.take_in(Ticket(event, recording.now()))
    commit.take_in(ticket("next"))
    commit.write(0)

    assert caught.value.reason == reason
    assert recording.words(tmp_path) == ["ledger.created", "next"]


def test_who_still_waits_at_the_end_is_told(tmp_path: Path, disk: FailingDisk) -> None:
    commit = commit_to(tmp_path)
    disk.fails(at="fdatasync")
    waiting = ticket("waiting")
    commit.take_in(waiting)

    commit.close()

    assert isinstance(waiting.error, RecordLostError)
    assert waiting.error.reason == "closed"
    assert not os.listdir(tmp_path)


def test_an_unforeseen_mistake_is_a_failure_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_to(tmp_path)
    append = LedgerWriter.append
    monkeypatch.setattr(LedgerWriter, "append", recording.mistake)
    commit.take_in(ticket("kept"))
    commit.write(0)
    assert commit.failures == {"ZeroDivisionError": 1}

    monkeypatch.setattr(LedgerWriter, "append", append)
    commit.write(commit.retry_at_s)
    commit.close()

    events = [record.event for record in recording.records(tmp_path)]
    assert events[1] == DaemonStopped(source=Source.DAEMON, reason="kept")


class Clocks:
    """Of a node whose wall clock can be set."""

    def __init__(self) -> None:
        self.time_ns, self.mono_ns, self.boot_id = 1_700_000_000 * 10**9, 5 * 10**9, "boot"

    def now(self) -> Moment:
        self.wait(0.001)
        return Moment(self.time_ns, self.mono_ns, self.boot_id)

    def wait(self, seconds: float) -> None:
        self.time_ns += int(seconds * 1e9)
        self.mono_ns += int(seconds * 1e9)


def daemon_of(directory: Path, clocks: Clocks) -> GroupCommit:
    return GroupCommit(
        lambda: LedgerWriter.open(str(directory)),
        now=clocks.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=INTERVAL_S,
        last_moment=lambda: last_moment(str(directory)),
    )


def say(commit: GroupCommit, clocks: Clocks, word: str) -> None:
    commit.take_in(Ticket(recording.event(word), clocks.now()))


def test_a_step_of_the_clock_is_on_record_between_the_records_it_lies_between(
    tmp_path: Path,
) -> None:
    clocks = Clocks()
    commit = daemon_of(tmp_path, clocks)
    say(commit, clocks, "before")
    clocks.time_ns -= 3600 * 10**9
    say(commit, clocks, "after")
    clocks.wait(1000)
    say(commit, clocks, "later")
    commit.write(0)
    commit.close()

    _, before, stepped, after, later = recording.records(tmp_path)
    assert isinstance(stepped.event, ClockStepped)
    assert stepped.event.step_ns == -3600 * 10**9
    assert stepped.event.before_time == before.time > after.time == stepped.time
    assert later.event == recording.event("later")


def test_a_reboot_is_the_first_thing_on_record_after_it(tmp_path: Path) -> None:
    clocks = Clocks()
    commit = daemon_of(tmp_path, clocks)
    say(commit, clocks, "before")
    commit.write(0)
    commit.close()

    clocks.boot_id, clocks.mono_ns = "another", 10**9
    clocks.time_ns += 60 * 10**9
    with ledgers.segment(tmp_path).open("ab") as file:
        file.write(b"torn")
    commit = daemon_of(tmp_path, clocks)
    say(commit, clocks, "after")
    commit.write(0)
    commit.close()

    _, before, rebooted, recovered, after = recording.records(tmp_path)
    assert rebooted.event == NodeRebooted(
        source=Source.DAEMON, before_boot_id="boot", before_time=before.time
    )
    assert rebooted.boot_id == after.boot_id == "another"
    assert isinstance(recovered.event, LedgerRecovered)


def test_a_step_while_no_daemon_ran_is_on_record(tmp_path: Path) -> None:
    clocks = Clocks()
    for word in ("before", "after"):
        commit = daemon_of(tmp_path, clocks)
        say(commit, clocks, word)
        commit.write(0)
        commit.close()
        clocks.wait(100)
        clocks.time_ns += 7 * 10**9

    _, _, stepped, after = recording.records(tmp_path)
    assert isinstance(stepped.event, ClockStepped)
    assert stepped.event.step_ns == 7 * 10**9
    assert after.event == recording.event("after")


def test_a_restart_on_the_same_boot_is_no_step(tmp_path: Path) -> None:
    clocks = Clocks()
    for word in ("before", "after"):
        commit = daemon_of(tmp_path, clocks)
        say(commit, clocks, word)
        commit.write(0)
        commit.close()
        clocks.wait(100)

    assert recording.words(tmp_path) == ["ledger.created", "before", "after"]


def test_a_ledger_whose_last_record_cannot_be_read_is_given_back_and_tried_again(
    tmp_path: Path,
) -> None:
    tries = iter([OSError(5, "Input/output error"), None])

    def fails_once() -> None:
        error = next(tries)
        if error is not None:
            raise error

    commit = GroupCommit(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=INTERVAL_S,
        last_moment=fails_once,
    )
    commit.take_in(ticket("first"))
    commit.write(0)
    assert commit.failures == {"EIO": 1}

    commit.write(10)
    commit.close()

    assert recording.words(tmp_path) == ["ledger.created", "first"]


def test_while_the_disk_is_busy_with_a_sync_no_other_is_begun_and_all_is_appended(
    tmp_path: Path,
) -> None:
    begun: list[Callable[[], None]] = []
    over: list[None] = []
    commit = GroupCommit(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=INTERVAL_S,
        run_sync=begun.append,
        on_sync_over=lambda: over.append(None),
    )
    first, second = ticket(1, sync=True), ticket(2, sync=True)
    commit.take_in(first)
    commit.write(0)
    commit.take_in(second)
    commit.write(1)
    assert (len(begun), commit.appended, commit.synced, commit.sync_at_s) == (1, 3, 0, NEVER)

    begun.pop()()
    assert over
    assert [each.done for each in (first, second)] == [False, False]
    commit.write(2)

    assert [each.done for each in (first, second)] == [True, False]
    assert (commit.synced, commit.synced_head.seq) == (2, 2)
    begun.pop()()
    commit.write(3)
    assert [each.done for each in (first, second)] == [True, True]
    assert commit.synced == 3
    commit.close()


def test_the_ledger_is_given_back_without_waiting_for_a_disk_that_hangs(tmp_path: Path) -> None:
    begun: list[Callable[[], None]] = []
    commit = GroupCommit(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=INTERVAL_S,
        run_sync=begun.append,
    )
    written = ticket(1, sync=True)
    commit.take_in(written)
    commit.write(0)

    assert commit.give_back() == []

    assert isinstance(written.error, RecordLostError)
    LedgerWriter.open(str(tmp_path)).close()
    begun.pop()()


def test_segments_are_closed_at_their_size_and_listeners_miss_nothing(tmp_path: Path) -> None:
    commit = commit_to(tmp_path, WriterLimits(rotation=RotationLimits(max_bytes=300)))
    written: list[int | None] = []
    for word in range(20):
        commit.take_in(ticket(word))
        written += [each.seq for each in commit.write(0)]
    commit.close()

    assert written == list(range(1, 22))
    assert len(list(tmp_path.glob("*.jsonl"))) >= 10
    assert verify(str(tmp_path)).head.seq == 21


def test_a_segment_that_cannot_be_closed_goes_on(tmp_path: Path, disk: FailingDisk) -> None:
    commit = commit_to(tmp_path, WriterLimits(rotation=RotationLimits(max_bytes=500)))
    for word in "abc":
        commit.take_in(ticket(word))
    commit.write(0)
    disk.fails(errno.ENOSPC, at="open")
    commit.take_in(ticket("d"))

    commit.write(0)

    assert commit.failing is None
    assert commit.failures == {"rotate ENOSPC": 1}
    disk.works()
    commit.close()
    assert recording.words(tmp_path) == ["ledger.created", "a", "b", "c", "d"]


def test_records_wait_for_a_segment_to_be_synced_and_closed_but_not_for_long(
    tmp_path: Path,
) -> None:
    disk_is_busy: list[Callable[[], None]] = []
    commit = commit_to(
        tmp_path,
        WriterLimits(rotation=RotationLimits(max_bytes=500)),
        run_sync=disk_is_busy.append,
    )
    for word in "abc":
        commit.take_in(ticket(word))
    commit.write(0)
    waiting = ticket("d")
    commit.take_in(waiting)

    commit.write(1)
    assert not waiting.done
    assert 1 < commit.sync_at_s < 1.1
    commit.write(commit.sync_at_s)

    assert waiting.seq == 5
    assert commit.failing is None
    assert len(list(tmp_path.glob("*.jsonl"))) == 1
    disk_is_busy.pop()()
    commit.close()


def test_a_segment_is_closed_as_soon_as_it_is_synced(tmp_path: Path) -> None:
    disk_is_busy: list[Callable[[], None]] = []
    commit = commit_to(
        tmp_path,
        WriterLimits(rotation=RotationLimits(max_bytes=500)),
        run_sync=disk_is_busy.append,
    )
    for word in "abc":
        commit.take_in(ticket(word))
    commit.write(0)
    commit.take_in(ticket("d"))
    commit.write(1)
    disk_is_busy.pop()()

    commit.write(1.001)

    commit.close()
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert verify(str(tmp_path)).head.seq == 5


def test_what_someone_did_to_the_segment_is_on_record_behind_what_it_was_done_to(
    tmp_path: Path, commit: GroupCommit
) -> None:
    commit.take_in(ticket("before"))
    commit.write(0)
    ledgers.segment(tmp_path).unlink()

    commit.take_in(ticket("after"))
    commit.write(0)

    assert recording.words(tmp_path) == ["ledger.created", "before", "segment.altered", "after"]
    altered = recording.records(tmp_path)[2].event
    assert isinstance(altered, SegmentAltered)
    assert (altered.alteration, altered.at_seq) == (Alteration.REMOVED, 2)


def test_after_a_daemon_that_was_killed_the_ledger_says_that_more_may_be_missing(
    tmp_path: Path,
) -> None:
    pod = PodRemoved(source=Source.RECONCILE, pod=PodRef(pod_sandbox_id="p1"))
    killed = commit_to(tmp_path)
    killed.take_in(Ticket(pod, recording.now()))
    killed.write(0)
    killed.close()

    commit = commit_to(tmp_path)
    commit.write(0)
    commit.close()

    assert recording.words(tmp_path) == ["ledger.created", "pod.removed", UNCLEAN_STOP]


def test_what_makes_room_is_written_while_the_disk_counts_as_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_to(tmp_path, WriterLimits(room=RoomLimits(stop_bytes=1000)))
    commit.write(0)
    monkeypatch.setattr(disk_gate, "free_bytes", lambda _: 10)
    commit.write(0)
    kept = ticket("kept")
    urgent = Ticket(recording.event("urgent"), recording.now(), retry=False, urgent=True)
    for each in (kept, urgent):
        commit.take_in(each)

    commit.write(10)

    assert isinstance(kept.error, DiskFullError)
    assert (urgent.error, urgent.seq) == (None, 3)
    assert recording.words(tmp_path) == ["ledger.created", "disk_full", "urgent"]
    monkeypatch.setattr(disk_gate, "free_bytes", lambda _: 10_000)
    commit.write(20)
    assert recording.words(tmp_path)[3:] == ["ledger.resumed", "disk.stage_changed", "kept"]
    commit.close()


def test_a_new_ledger_on_a_full_disk_begins_with_its_creation_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_gate, "free_bytes", lambda _: 10)
    commit = commit_to(tmp_path, WriterLimits(room=RoomLimits(stop_bytes=1000)))
    commit.take_in(ticket("kept"))

    commit.write(0)
    commit.close()

    assert recording.words(tmp_path) == ["ledger.created", "disk_full"]
