from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections import Counter
from pathlib import Path

import pytest

from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_file import NoCheckpointsError, append, read
from nsledger.ledger.line import Head
from tests import checkpoints
from tests.failing_disk import FailingDisk


@pytest.fixture
def signed(tmp_path: Path) -> list[Checkpoint]:
    key = checkpoints.key(tmp_path / "key")
    return [checkpoints.checkpoint(Head(seq, f"{seq:064x}"), key) for seq in (1, 2, 3)]


@pytest.fixture
def file(tmp_path: Path, signed: list[Checkpoint]) -> Path:
    """The first two of them."""
    path = tmp_path / "var" / "checkpoints"
    for checkpoint in signed[:2]:
        append(str(path), checkpoint)
    return path


def test_checkpoints_stand_one_behind_the_other(file: Path, signed: list[Checkpoint]) -> None:
    assert read(str(file)) == tuple(signed[:2])
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_half_a_line_of_a_crash_is_passed_over_and_cut_off_by_the_next(
    file: Path, signed: list[Checkpoint]
) -> None:
    with file.open("a") as half:
        half.write(signed[2].line[:100])

    assert read(str(file)) == tuple(signed[:2])
    append(str(file), signed[2])
    assert read(str(file)) == tuple(signed)


def test_a_full_disk_leaves_no_half_line(
    file: Path, signed: list[Checkpoint], disk: FailingDisk
) -> None:
    before = file.read_bytes()
    disk.cuts_short(100)

    with pytest.raises(OSError, match="No space"):
        append(str(file), signed[2])

    disk.works()
    assert file.read_bytes() == before


def test_a_file_of_something_else_is_not_written_to(
    tmp_path: Path, signed: list[Checkpoint]
) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0")

    with pytest.raises(NoCheckpointsError, match="it ends with b'root:x:0:0'"):
        append(str(path), signed[0])

    assert path.read_text() == "root:x:0:0"


def test_a_symbolic_link_is_not_followed(tmp_path: Path, signed: list[Checkpoint]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        append(str(tmp_path / "link"), signed[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no line, needed checkpoints"),
        ("hello", ":1: found 'hello', needed a checkpoint"),
        ("\n", ":1: found"),
    ],
)
def test_a_file_without_checkpoints_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)

    with pytest.raises(NoCheckpointsError, match=message):
        read(str(path))


def test_a_strange_line_in_between_is_an_error_and_named(
    file: Path, signed: list[Checkpoint]
) -> None:
    with file.open("a") as more:
        more.write(f"{signed[2].line[:50]}\n{signed[2].line}")

    with pytest.raises(NoCheckpointsError) as caught:
        read(str(file))

    assert caught.value.line_number == 3


def test_they_are_found_in_json_lines_such_as_the_daemons_log_and_an_export(
    tmp_path: Path, signed: list[Checkpoint]
) -> None:
    one, other, third = (one.line.rstrip() for one in signed)
    path = tmp_path / "mixed"
    path.write_text(
        f'{{"seq":1,"prev":"00","event":"x"}}\n{{"checkpoint":"{one}","event":"checkpoint.written"}}\n'
        f'{{"checkpoint":""}}\n{other}\n{{"checkpoint":"{third}"}}\n'
    )

    assert read(str(path)) == tuple(signed)


@pytest.mark.parametrize(
    "line", ['{"checkpoint":"nsledger-checkpoint-v1 x"}', '{"checkpoint":7}', '{"checkpoint":']
)
def test_a_json_line_with_something_else_for_a_checkpoint_is_an_error(
    tmp_path: Path, signed: list[Checkpoint], line: str
) -> None:
    path = tmp_path / "file"
    path.write_text(f"{signed[0].line}{line}\n")

    with pytest.raises(NoCheckpointsError) as caught:
        read(str(path))

    assert caught.value.line_number == 2


def test_json_lines_without_any_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"event":"daemon.started"}\n')

    with pytest.raises(NoCheckpointsError):
        read(str(path))


def test_they_can_come_from_standard_input(
    signed: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "".join(one.line for one in signed).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    assert read("-") == tuple(signed)


def test_two_daemons_while_one_replaces_the_other_lose_no_line(
    tmp_path: Path, signed: list[Checkpoint]
) -> None:
    path = tmp_path / "checkpoints"

    def add(checkpoint: Checkpoint) -> None:
        for _ in range(40):
            append(str(path), checkpoint)

    threads = [threading.Thread(target=add, args=[one]) for one in signed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(one.head.seq for one in read(str(path))) == {1: 40, 2: 40, 3: 40}
