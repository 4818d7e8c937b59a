from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.recorder.journal import MAGIC, SIZE_BYTES, WriteAhead, prefix_of, records_in

LEDGER = "/var/lib/nsledger/ledger"


@pytest.fixture
def memory() -> Iterator[str]:
    """A directory on a tmpfs."""
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as directory:
        yield directory


def made(directory: str) -> WriteAhead:
    ahead = WriteAhead.create(directory, LEDGER)
    assert ahead is not None
    return ahead


def on_file(ahead: WriteAhead) -> list[bytes]:
    """What another process finds: the mapping is never flushed, as it is not at a kill."""
    return list(records_in(Path(ahead.path).read_bytes()))


def test_what_is_put_is_there_for_the_next_process_in_its_order(memory: str) -> None:
    ahead = made(memory)

    assert all(ahead.put(record) for record in (b"one", b"two", b"three"))

    assert on_file(ahead) == [b"one", b"two", b"three"]
    assert Path(ahead.path).name.startswith(prefix_of(LEDGER))
    assert Path(ahead.path).stat().st_mode & 0o777 == 0o600
    ahead.close(all_settled=False)


def test_when_all_are_in_the_ledger_the_room_is_free_again(memory: str) -> None:
    ahead = made(memory)
    ahead.put(b"one")
    ahead.put(b"two")

    ahead.settle(1)
    assert on_file(ahead) == [b"one", b"two"]
    ahead.settle(1)
    assert on_file(ahead) == []

    ahead.put(b"three")
    assert on_file(ahead) == [b"three"]
    ahead.close(all_settled=False)


def test_what_has_no_room_is_refused_and_harms_nothing(memory: str) -> None:
    ahead = made(memory)
    record = b"x" * 1000

    taken = 0
    while ahead.put(record):
        taken += 1

    assert taken > 1000
    assert on_file(ahead) == [record] * taken
    assert not ahead.put(b"y" * SIZE_BYTES)
    ahead.settle(taken)
    assert ahead.put(record)
    ahead.close(all_settled=False)


@pytest.mark.parametrize("cut", range(1, 12))
def test_an_entry_that_was_not_finished_is_none(memory: str, cut: int) -> None:
    ahead = made(memory)
    ahead.put(b"whole")
    end = len(MAGIC) + 8 + len(b"whole")
    ahead.put(b"torn")
    ahead.close(all_settled=False)
    content = bytearray(Path(ahead.path).read_bytes())

    # What a death before the last of its stores leaves: a part of the entry is still zeros.
    content[end : end + cut] = bytes(cut)

    assert list(records_in(bytes(content))) == [b"whole"]


def test_a_disk_is_no_memory(tmp_path: Path) -> None:
    if os.stat(tmp_path).st_dev == os.stat("/dev/shm").st_dev:
        pytest.skip("/tmp is in memory here")

    assert WriteAhead.create(str(tmp_path), LEDGER) is None
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_everything_is_in_the_ledger(memory: str) -> None:
    ahead = made(memory)
    ahead.put(b"one")
    ahead.settle(1)

    ahead.close(all_settled=True)

    assert os.listdir(memory) == []
    assert not ahead.put(b"late")


def test_each_ledger_has_files_of_its_own() -> None:
    assert prefix_of("/var/lib/nsledger/ledger/") == prefix_of(LEDGER)
    assert prefix_of(LEDGER) != prefix_of("/var/lib/nsledger/other")


def test_what_is_no_such_file_has_no_records() -> None:
    assert list(records_in(b"")) == []
    assert list(records_in(b"something else, and longer than the magic")) == []
