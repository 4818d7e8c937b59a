from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import Gap
from nsledger.model.record import encode
from nsledger.recorder.journal import LeftBehind, WriteAhead, left_behind, prefix_of
from tests import recording


@pytest.fixture
def memory() -> Iterator[str]:
    """A directory on a tmpfs."""
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as directory:
        yield directory


def kept(memory: str, ledger: Path, *records: bytes) -> WriteAhead:
    """The file of a process that lives, with these records."""
    ahead = WriteAhead.create(memory, str(ledger))
    assert ahead is not None
    assert all(map(ahead.put, records))
    return ahead


def dead(memory: str, ledger: Path, *records: bytes) -> None:
    """The file of a process that was killed."""
    kept(memory, ledger, *records).close(all_settled=False)


def append(ledger: Path, *records: bytes) -> None:
    writer = LedgerWriter.open(str(ledger))
    writer.append(list(records))
    writer.close()


def record(word: str) -> bytes:
    return encode(recording.event(word), recording.now())


def words(left: LeftBehind) -> list[str]:
    return [getattr(event, "reason", "") for event, _ in left.events]


def test_records_of_the_dead_are_found_with_their_moments(memory: str, tmp_path: Path) -> None:
    at = recording.now()
    dead(memory, tmp_path, encode(recording.event("one"), at), record("two"))
    append(tmp_path, record("another"))

    left = left_behind(memory, str(tmp_path))

    assert words(left) == ["one", "two"]
    assert left.events[0][1] == at


def test_what_is_in_the_ledger_already_is_not_written_twice(memory: str, tmp_path: Path) -> None:
    one, two = record("one"), record("two")
    append(tmp_path, record("before"), one, record("after"))
    dead(memory, tmp_path, one, two)

    assert words(left_behind(memory, str(tmp_path))) == ["two"]


def test_who_lives_writes_its_own(memory: str, tmp_path: Path) -> None:
    append(tmp_path, record("before"))
    living = kept(memory, tmp_path, record("one"))

    left = left_behind(memory, str(tmp_path))

    assert left == LeftBehind()
    living.close(all_settled=True)


def test_another_ledgers_files_stay_where_they_are(memory: str, tmp_path: Path) -> None:
    dead(memory, tmp_path / "other", record("one"))

    left_behind(memory, str(tmp_path / "ledger")).tickets(recording.now())

    assert len(os.listdir(memory)) == 1


def test_a_ledger_that_cannot_be_read_keeps_nothing_from_being_written(
    memory: str, tmp_path: Path
) -> None:
    dead(memory, tmp_path, record("one"))
    append(tmp_path, record("before"))
    (segment,) = tmp_path.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes() + b"no entry\n")

    assert words(left_behind(memory, str(tmp_path))) == ["one"]


def test_the_files_go_when_the_last_of_their_records_is_written(
    memory: str, tmp_path: Path
) -> None:
    dead(memory, tmp_path, record("one"), record("two"))
    append(tmp_path, record("before"))

    one, two = left_behind(memory, str(tmp_path)).tickets(recording.now())
    one.finish(None)
    assert len(os.listdir(memory)) == 1
    two.finish(None)

    assert os.listdir(memory) == []


def test_the_files_stay_as_long_as_nothing_can_be_written(memory: str, tmp_path: Path) -> None:
    dead(memory, tmp_path, record("one"))
    append(tmp_path, record("before"))

    (one,) = left_behind(memory, str(tmp_path)).tickets(recording.now())
    one.finish(OSError(28, "No space left on device"))

    assert len(os.listdir(memory)) == 1


def test_what_this_version_cannot_read_is_a_gap(memory: str, tmp_path: Path) -> None:
    dead(memory, tmp_path, b'{"event":"of another version"}', record("one"))
    append(tmp_path, record("before"))

    one, gap = left_behind(memory, str(tmp_path)).tickets(recording.now())

    assert getattr(one.event, "reason", "") == "one"
    assert isinstance(gap.event, Gap)
    assert (gap.event.reason, gap.event.count) == ("left_behind_unreadable", 1)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_a_planted_file_is_not_followed_and_does_not_block(
    memory: str, tmp_path: Path, kind: str
) -> None:
    dead(memory, tmp_path, record("one"))
    append(tmp_path, record("before"))
    planted = Path(memory) / f"{prefix_of(str(tmp_path))}0"
    secret = tmp_path / "secret"
    secret.write_bytes(b"nsledger ahead 1")
    match kind:
        case "link":
            planted.symlink_to(secret)
        case "fifo":
            os.mkfifo(planted)
        case _:
            planted.mkdir()

    left = left_behind(memory, str(tmp_path))

    assert words(left) == ["one"]
    assert str(planted) not in left.paths


def test_no_directory_is_no_reason_to_keep_a_ledger_closed(tmp_path: Path) -> None:
    assert left_behind(str(tmp_path / "nowhere"), str(tmp_path)) == LeftBehind()
