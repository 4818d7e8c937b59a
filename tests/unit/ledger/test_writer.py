from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from nsledger.ledger import layout, recovery
from nsledger.ledger import writer as writer_module
from nsledger.ledger.errors import (
    LedgerDamagedError,
    LedgerLockedError,
    NotARecordError,
    SyncBehindError,
)
from nsledger.ledger.line import GENESIS, link
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers


def fail_once(
    monkeypatch: pytest.MonkeyPatch, name: str, code: int, *, partly: bool = False
) -> None:
    """Let the next call of an os function fail, after doing half of its work if `partly`."""
    real: Callable[..., int] = getattr(os, name)

    def failing(*arguments: object) -> int:
        monkeypatch.setattr(os, name, real)
        if partly:
            descriptor, data, offset = arguments
            assert isinstance(data, bytes)
            real(descriptor, data[: len(data) // 2], offset)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, failing)


def test_a_new_ledger_is_private_to_its_owner_and_group(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "ledger"

    ledgers.write(directory, [1])

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    assert modes == {layout.segment_name(1): 0o640, layout.LOCK_NAME: 0o640}


def test_a_ledger_goes_on_where_the_last_writer_ended(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2])
    ledgers.write(tmp_path, [3])

    expected, head = link(GENESIS, [ledgers.record(number) for number in (1, 2, 3)])
    assert ledgers.segment(tmp_path).read_bytes() == expected
    assert verify(str(tmp_path)).head == head


def test_a_batch_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    real = os.pwrite
    calls: list[int] = []

    def counting(descriptor: int, data: bytes, offset: int) -> int:
        calls.append(offset)
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", counting)

    head = writer.append([ledgers.record(number) for number in range(64)])

    assert calls == [0]
    assert head.seq == 64
    writer.close()


def test_only_one_process_writes_a_ledger(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))

    with pytest.raises(LedgerLockedError):
        LedgerWriter.open(str(tmp_path))

    writer.close()
    LedgerWriter.open(str(tmp_path)).close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("partly", [False, True])
def test_a_failed_append_leaves_nothing_behind_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, code: int, partly: bool
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    before = writer.append([ledgers.record(1)])
    fail_once(monkeypatch, "pwrite", code, partly=partly)

    with pytest.raises(OSError, match=os.strerror(code)):
        writer.append([ledgers.record(2), ledgers.record(3)])

    assert writer.head == before
    assert verify(str(tmp_path)).head == before
    assert len(ledgers.lines(tmp_path)) == 1
    after = writer.append([ledgers.record(4)])
    writer.close()
    assert verify(str(tmp_path)).head == after


def test_nothing_follows_half_a_line_that_cannot_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    before = writer.append([ledgers.record(1)])

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    cut = os.ftruncate
    fail_once(monkeypatch, "pwrite", errno.ENOSPC, partly=True)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError, match="space"):
        writer.append([ledgers.record(2)])
    with pytest.raises(OSError, match="Input/output"):
        writer.append([ledgers.record(3)])

    assert verify(str(tmp_path)).head == before
    monkeypatch.setattr(os, "ftruncate", cut)
    after = writer.append([ledgers.record(4)])
    writer.close()
    assert verify(str(tmp_path)).head == after


def test_a_record_that_cannot_be_a_line_costs_its_batch_nothing_on_disk(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))

    with pytest.raises(NotARecordError):
        writer.append([ledgers.record(1), b"not a record"])

    writer.close()
    assert ledgers.lines(tmp_path) == []


def test_after_a_failed_sync_the_lost_pages_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1)])
    writer.sync()
    writer.append([ledgers.record(2)])
    writer.append([ledgers.record(3)])
    sound = ledgers.segment(tmp_path).read_bytes()
    fail_once(monkeypatch, "fdatasync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        writer.sync()
    size = len(sound)
    ledgers.segment(tmp_path).write_bytes(ledgers.lines(tmp_path)[0] + b"\0" * 100)

    writer.sync()

    assert ledgers.segment(tmp_path).read_bytes() == sound
    assert len(sound) == size
    assert writer.unsynced_bytes == 0
    writer.close()


def test_no_more_than_the_limit_is_ever_unsynced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "UNSYNCED_LIMIT_BYTES", 1000)
    writer = LedgerWriter.open(str(tmp_path))

    for number in range(100):
        writer.append([ledgers.record(number)])
        assert writer.unsynced_bytes <= 1000

    writer.close()


def test_syncing_what_is_synced_does_not_ask_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1)])
    writer.sync()
    fail_once(monkeypatch, "fdatasync", errno.EIO)

    writer.sync()

    writer.close()


def test_a_torn_line_is_kept_beside_the_ledger_and_told(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2])
    with ledgers.segment(tmp_path).open("ab") as file:
        file.write(b'{"seq":3,"prev":"12')

    writer = LedgerWriter.open(str(tmp_path))

    (recovery,) = writer.recoveries
    assert (recovery.torn_bytes, recovery.at_seq) == (19, 3)
    assert (tmp_path / recovery.kept_as).read_bytes() == b'{"seq":3,"prev":"12'
    head = writer.append([ledgers.record(3)])
    writer.close()
    assert verify(str(tmp_path)).head == head


def test_a_second_torn_line_at_the_same_place_does_not_replace_the_first(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])
    for torn in (b"one", b"two"):
        with ledgers.segment(tmp_path).open("ab") as file:
            file.write(torn)
        LedgerWriter.open(str(tmp_path)).close()

    kept = [(tmp_path / layout.torn_name(2, number)).read_bytes() for number in (1, 2)]
    assert kept == [b"one", b"two"]


def test_a_torn_line_is_told_until_an_entry_can_say_so(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])
    with ledgers.segment(tmp_path).open("ab") as file:
        file.write(b"torn")

    told: list[int] = []
    for append in (False, True, False):
        writer = LedgerWriter.open(str(tmp_path))
        told.append(len(writer.recoveries))
        if append:
            writer.append([ledgers.record(2)])
        writer.close()

    assert told == [1, 1, 0]


def test_a_torn_line_stays_where_it_is_until_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledgers.write(tmp_path, [1])
    with ledgers.segment(tmp_path).open("ab") as file:
        file.write(b"torn")
    fail_once(monkeypatch, "pwrite", errno.ENOSPC)

    with pytest.raises(OSError, match="space"):
        LedgerWriter.open(str(tmp_path))

    assert ledgers.segment(tmp_path).read_bytes().endswith(b"torn")
    writer = LedgerWriter.open(str(tmp_path))
    assert len(writer.recoveries) == 1
    writer.close()


def test_a_ledger_in_order_is_not_recovered(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])

    writer = LedgerWriter.open(str(tmp_path))

    assert writer.recoveries == ()
    writer.close()


def test_a_ledger_whose_first_line_was_torn_begins_anew(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])
    ledgers.segment(tmp_path).write_bytes(ledgers.lines(tmp_path)[0][:-1])

    writer = LedgerWriter.open(str(tmp_path))

    assert writer.head == GENESIS
    assert len(writer.recoveries) == 1
    writer.close()


def test_a_ledger_without_an_entry_is_moved_aside_and_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "WINDOW_BYTES", 100)
    ledgers.write(tmp_path, [1])
    garbage = b"x" * 1000
    ledgers.segment(tmp_path).write_bytes(garbage)

    writer = LedgerWriter.open(str(tmp_path))
    writer.close()

    (recovery_,) = writer.recoveries
    assert writer.head == GENESIS
    assert recovery_.torn_bytes == 1000
    assert (tmp_path / recovery_.kept_as).read_bytes() == garbage


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_what_is_no_file_under_the_next_segments_name_stops_nothing(
    tmp_path: Path, make: Callable[[str], None], suffix: str
) -> None:
    ledgers.write(tmp_path, [1, 2])
    make(f"{ledgers.segment(tmp_path, 3)}{suffix}")

    with pytest.raises(LedgerDamagedError, match="no regular file"):
        verify(str(tmp_path))
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(3)])
    writer.close()

    assert [recovery.kept_as for recovery in writer.recoveries] == [layout.torn_name(3, 1)]
    assert verify(str(tmp_path)).head.seq == 3


def test_the_writer_does_not_heal_an_edit_that_verify_must_show(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2, 3])
    first, second, third = ledgers.lines(tmp_path)
    edited = [first, second.replace(b'"number":2', b'"number":9'), third]
    ledgers.replace(tmp_path, edited)

    ledgers.write(tmp_path, [4])

    assert ledgers.lines(tmp_path)[:3] == edited


def test_a_segment_begun_before_a_crash_goes_on_from_the_one_before(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1, 2])
    head = verify(str(tmp_path)).head
    ledgers.segment(tmp_path, 3).touch()

    ledgers.write(tmp_path, [3])

    expected, _ = link(head, [ledgers.record(3)])
    assert ledgers.segment(tmp_path, 3).read_bytes() == expected


def test_closing_lets_another_writer_in_even_if_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([ledgers.record(1)])
    fail_once(monkeypatch, "fdatasync", errno.EIO)

    with pytest.raises(OSError, match="Input/output"):
        writer.close()

    LedgerWriter.open(str(tmp_path)).close()


def test_what_is_appended_while_the_disk_syncs_is_not_synced_by_it(tmp_path: Path) -> None:
    with contextlib.closing(LedgerWriter.open(str(tmp_path))) as writer:
        writer.append([b'{"a":1}'])
        pending = writer.begin_sync()
        assert pending is not None
        writer.append([b'{"a":2}'])
        assert writer.begin_sync() is None

        pending.run()
        writer.end_sync(succeeded=True)

        assert pending.head.seq == 1
        assert writer.unsynced_bytes > 0
        writer.sync()
        assert writer.unsynced_bytes == 0


def test_behind_a_disk_that_hangs_in_a_sync_no_more_than_the_limit_is_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "UNSYNCED_LIMIT_BYTES", 1000)
    with contextlib.closing(LedgerWriter.open(str(tmp_path))) as writer:
        writer.append([b'{"a":1}'])
        pending = writer.begin_sync()
        assert pending is not None

        while writer.unsynced_bytes < 900:
            writer.append([ledgers.record(2)])

        with pytest.raises(SyncBehindError):
            writer.append([b'{"a":"%s"}' % (b"x" * 100)])

        pending.run()
        writer.end_sync(succeeded=True)
        writer.append([b'{"a":3}'])


def test_the_thread_that_syncs_has_a_descriptor_of_its_own(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([b'{"a":1}'])
    pending = writer.begin_sync()
    assert pending is not None

    writer.close()

    pending.run()
