from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.model.events import ContainerWitnessed
from nsledger.recorder.ticket import RecordLostError
from nsledger.spool import directory as directory_module
from nsledger.spool import inbox as inbox_module
from nsledger.spool.hook_record import HookRecord
from nsledger.spool.inbox import UNFINISHED_AFTER_NS, Inbox
from tests import recording
from tests.unit.spool import hook_files

Refusals = list[tuple[str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def refused() -> Refusals:
    return []


@pytest.fixture
def inbox(path: Path, refused: Refusals) -> Iterator[Inbox]:
    inbox = inbox_of(path, refused)
    yield inbox
    inbox.close()


def inbox_of(path: Path, refused: Refusals, missed: list[int] | None = None) -> Inbox:
    return Inbox(
        str(path),
        now=lambda: hook_files.NOW,
        on_refused=lambda reason, name: refused.append((reason, name)),
        on_missed=([] if missed is None else missed).append,
    )


def ids(inbox: Inbox) -> list[str]:
    return [left.event.container.container_id for left in inbox.take_in()]


def test_a_file_goes_after_its_record_is_written_and_not_before(path: Path, inbox: Inbox) -> None:
    file = hook_files.leave(path)
    (left,) = inbox.take_in()
    assert inbox.take_in() == []
    assert file.exists()

    left.settle(None)
    assert inbox.take_in() == []

    assert not file.exists()


def test_a_file_whose_record_could_not_be_written_is_offered_again(
    path: Path, inbox: Inbox
) -> None:
    hook_files.leave(path)
    (left,) = inbox.take_in()
    left.settle(OSError())

    (again,) = inbox.take_in()

    assert again.event == left.event


def test_one_look_is_ordered_by_the_hooks_clock(path: Path, inbox: Inbox) -> None:
    for time_ns, name in ((3, "a"), (1, "b"), (2, "c")):
        hook_files.leave(path, f"{name}.json", time_ns=time_ns, container_id=name)

    assert ids(inbox) == ["b", "c", "a"]


def test_one_look_is_bounded_and_the_next_goes_on(
    path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "LOOK_LIMIT", 2)
    for number in range(5):
        hook_files.leave(path, f"{number}.json", time_ns=number, container_id=str(number))

    assert [ids(inbox) for _ in range(4)] == [["0", "1"], ["2", "3"], ["4"], []]


def test_a_daemon_that_died_before_it_removed_the_file_leaves_no_second_record(
    path: Path, refused: Refusals
) -> None:
    file = hook_files.leave(path)
    first = inbox_of(path, refused)
    (left,) = first.take_in()
    in_the_ledger = left.event
    first.close()

    second = inbox_of(path, refused)
    second.remember(in_the_ledger)

    assert second.take_in() == []
    assert not file.exists()
    second.close()


@pytest.mark.parametrize(
    "other", [{"container_id": "c2"}, {"pid": 1}, {"start_ticks": 1}, {"time_ns": 1}, {"pid": None}]
)
def test_another_container_process_or_moment_is_no_copy(
    path: Path, inbox: Inbox, other: dict[str, object]
) -> None:
    hook_files.leave(path, "1.json")
    hook_files.leave(path, "2.json", **other)

    assert len(inbox.take_in()) == 2


def test_a_copy_beside_a_record_in_hand_is_dropped(path: Path, inbox: Inbox) -> None:
    hook_files.leave(path, "1.json")
    copy = hook_files.leave(path, "2.json")

    assert len(inbox.take_in()) == 1
    assert not copy.exists()


def test_old_records_are_forgotten_in_the_end(
    path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "REMEMBERED", 2)
    events: list[ContainerWitnessed] = []
    for number in range(4):
        hook_files.leave(path, f"{number}.json", time_ns=number)
        (left,) = inbox.take_in()
        events.append(left.event)
        left.settle(None)
    inbox.take_in()

    for number in range(4):
        hook_files.leave(path, f"{number}.json", time_ns=number)
    assert [left.event for left in inbox.take_in()] == events[:2]


def test_only_one_daemon_takes_records_in(path: Path, inbox: Inbox, refused: Refusals) -> None:
    hook_files.leave(path)
    other = inbox_of(path, refused)
    other.take_in()

    assert inbox.take_in() == []

    other.close()
    assert len(inbox.take_in()) == 1


def test_what_cannot_be_read_is_set_aside_and_told_once(
    path: Path, inbox: Inbox, refused: Refusals
) -> None:
    hook_files.leave(path, "good.json")
    (path / "bad.json").write_text("{")
    os.mkfifo(path / "fifo.json")
    (path / "link.json").symlink_to("good.json")

    assert [len(inbox.take_in()) for _ in range(3)] == [1, 0, 0]

    assert refused == [
        ("spool_unreadable", "bad.json"),
        ("spool_not_a_file", "fifo.json"),
        ("spool_not_a_file", "link.json"),
    ]
    assert len(list((path / "quarantine").iterdir())) == 3


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred.json", "__31mred.json"),
        ("new\nline.json", "new_line.json"),
        ("größe.json", "gr__e.json"),
        ("x" * 250 + ".json", "x" * 128),
    ],
)
def test_a_hostile_name_is_shown_harmless(
    path: Path, inbox: Inbox, refused: Refusals, name: str, shown: str
) -> None:
    hook_files.leave(path)
    (path / name).write_text("{")

    inbox.take_in()

    assert refused == [("spool_unreadable", shown)]


def test_a_name_that_is_no_unicode_is_taken_in_like_any_other(path: Path, inbox: Inbox) -> None:
    file = hook_files.leave(path)
    os.rename(os.fsencode(file), os.fsencode(path) + b"/\xff\xfe.json")

    (left,) = inbox.take_in()
    left.settle(None)
    inbox.take_in()

    assert not [name for name in os.listdir(path) if name.endswith(".json")]


def test_a_record_that_no_ledger_can_hold_is_set_aside(
    path: Path, inbox: Inbox, refused: Refusals
) -> None:
    hook_files.leave(path)
    (left,) = inbox.take_in()
    left.settle(RecordLostError(reason="oversized", event=left.event))

    assert inbox.take_in() == []
    assert refused == [("spool_oversized", "1-2-c1.json")]


def test_a_record_that_found_the_queue_full_is_offered_again(path: Path, inbox: Inbox) -> None:
    hook_files.leave(path)
    (left,) = inbox.take_in()
    left.settle(RecordLostError(reason="queue_full", event=left.event))

    assert len(inbox.take_in()) == 1


def test_what_a_killed_hook_did_not_finish_is_set_aside_after_a_while(
    path: Path, inbox: Inbox, refused: Refusals
) -> None:
    path.mkdir(mode=0o700)
    for name, age_ns in ((".old.tmp", UNFINISHED_AFTER_NS + 1), (".new.tmp", UNFINISHED_AFTER_NS)):
        (path / name).touch()
        changed_ns = hook_files.NOW.time_ns - age_ns
        os.utime(path / name, ns=(changed_ns, changed_ns))

    inbox.take_in()

    assert refused == [("spool_unfinished", ".old.tmp")]
    assert (path / ".new.tmp").exists()


def test_what_can_neither_be_moved_nor_removed_is_told_once_and_passed_over(
    path: Path, inbox: Inbox, refused: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook_files.leave(path, "good.json")
    (path / "bad.json").write_text("{")

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(os, "rename", read_only)
    (left,) = inbox.take_in()
    monkeypatch.setattr(os, "unlink", read_only)
    left.settle(None)

    assert [inbox.take_in() for _ in range(2)] == [[], []]
    assert refused == [("spool_unreadable", "bad.json")]


def test_an_unsafe_directory_is_told_once_and_not_used(
    path: Path, inbox: Inbox, refused: Refusals
) -> None:
    hook_files.leave(path)
    path.chmod(0o777)

    assert [inbox.take_in() for _ in range(2)] == [[], []]
    assert refused == [("spool_unsafe_directory", "")]

    path.chmod(0o700)
    assert len(inbox.take_in()) == 1


def test_the_moment_that_counts_is_the_one_of_this_boot(
    path: Path, inbox: Inbox, refused: Refusals
) -> None:
    hook_files.leave(path, boot_id=recording.now().boot_id)

    assert inbox.take_in() == []
    assert refused == [("spool_other_boot", "1-2-c1.json")]


def test_what_no_hook_leaves_is_set_aside_and_cannot_hide_records(
    path: Path, inbox: Inbox, refused: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook_files.leave(path)
    for number in range(8):
        (path / f"core.{number}").touch(mode=0o600)
    monkeypatch.setattr(directory_module, "MAX_NAMES", 5)

    looks = [len(inbox.take_in()) for _ in range(3)]

    assert sum(looks) == 1
    assert sorted(refused) == [("spool_strange_name", f"core.{number}") for number in range(8)]


def test_records_that_found_the_directory_full_are_counted(path: Path, refused: Refusals) -> None:
    path.mkdir(mode=0o700)
    (path / "missed").touch(mode=0o600)
    (path / "missed").write_bytes(b"...")
    missed: list[int] = []
    inbox = inbox_of(path, refused, missed)

    for _ in range(3):
        inbox.take_in()

    assert missed == [3]
    inbox.close()


def test_a_note_that_is_none_stops_nothing(path: Path, inbox: Inbox, refused: Refusals) -> None:
    hook_files.leave(path)
    (path / "missed").mkdir()

    assert [len(inbox.take_in()) for _ in range(3)] == [1, 0, 0]

    assert refused == [("spool_not_a_file", ".missed")]


def test_a_directory_that_was_made_anew_is_the_one_that_counts(path: Path, inbox: Inbox) -> None:
    hook_files.leave(path)
    (left,) = inbox.take_in()
    path.rename(path.with_name("old"))
    hook_files.leave(path, "2.json", container_id="c2")

    assert ids(inbox) == ["c2"]

    left.settle(None)
    assert inbox.take_in() == []


@pytest.mark.parametrize(
    "bad",
    [
        '{"v":1,"time_ns":1,"mono_ns":1,"x":' + "[" * 1100 + "]" * 1100 + "}",
        '{"v":1,"time_ns":' + "9" * 5000 + ',"mono_ns":1}',
        '{"v":1,"time_ns":-1,"mono_ns":1}',
        '{"v":1,"time_ns":9223372036854775808,"mono_ns":1}',
        '{"v":1,"time_ns":1,"mono_ns":1,"pid":9223372036854775808}',
        (
            '{"v":1,"time_ns":1,"mono_ns":1,"pid":1,"namespaces":'
            '{"net":{"dev":4,"ino":9223372036854775808}}}'
        ),
        '{"v":1,"time_ns":1,"mono_ns":1,"uid_map":[[0,0,4294967296]]}',
        '{"v":1,"time_ns":1,"mono_ns":1,"assigned":{"net":"/proc/1/ns/net\\u0000x"}}',
        '{"v":1,"time_ns":1,"mono_ns":1,"container_id":"\\ud800"}',
        '{"v":1,"time_ns":1,"mono_ns":NaN}',
    ],
)
def test_a_record_past_the_limits_is_set_aside_and_those_around_it_are_taken_in(
    path: Path, inbox: Inbox, refused: Refusals, bad: str
) -> None:
    hook_files.leave(path, "1.json", container_id="before")
    (path / "2.json").write_text(bad, encoding="utf-8", errors="surrogatepass")
    hook_files.leave(path, "3.json", container_id="after")

    taken = [left.event.container.container_id for left in inbox.take_in()]

    assert sorted(taken) == ["after", "before"]
    assert refused == [("spool_unreadable", "2.json")]


def test_what_nobody_foresaw_in_one_file_is_set_aside_too(
    path: Path, inbox: Inbox, refused: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook_files.leave(path, "1.json")
    monkeypatch.setattr(HookRecord, "event", recording.mistake)

    assert inbox.take_in() == []
    assert refused == [("spool_unreadable", "1.json")]
