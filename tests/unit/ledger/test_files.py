from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from nsledger.ledger import files


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)


def test_a_new_file_has_the_mode_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        os.close(files.create_file(str(tmp_path / "new"), 0o640))
        files.make_directory(str(tmp_path / "a/b"), 0o750)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o750


def test_creating_refuses_what_is_there_even_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    with pytest.raises(FileExistsError):
        files.create_file(str(tmp_path / "link"), 0o640)

    assert not (tmp_path / "nowhere").exists()


def test_opening_refuses_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")

    with pytest.raises(OSError, match="symbolic links"):
        files.open_file(str(tmp_path / "link"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _socket])
@pytest.mark.parametrize("writable", [False, True])
def test_opening_waits_for_nothing_and_takes_regular_files_only(
    tmp_path: Path, make: Callable[[str], None], writable: bool
) -> None:
    make(str(tmp_path / "name"))

    with pytest.raises(files.NotARegularFileError):
        files.open_file(str(tmp_path / "name"), writable=writable)


def test_a_lock_is_held_by_one_and_free_when_its_holder_closes(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first = files.lock_file(path, 0o640)

    with pytest.raises(BlockingIOError):
        files.lock_file(path, 0o640)

    os.close(first)
    os.close(files.lock_file(path, 0o640))


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: write(fd, bytes(data)[:3], offset))
    descriptor = files.create_file(str(tmp_path / "file"), 0o640)

    files.write_at(descriptor, b"0123456789", 0)

    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_write_that_makes_no_progress_is_an_error_and_no_endless_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    descriptor = files.create_file(str(tmp_path / "file"), 0o640)

    with pytest.raises(OSError, match="Input/output"):
        files.write_at(descriptor, b"0123456789", 0)

    os.close(descriptor)


def test_a_file_that_cannot_be_filled_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)

    with pytest.raises(OSError, match="Input/output"):
        files.write_file(str(tmp_path / "file"), b"data", 0o640)

    assert not (tmp_path / "file").exists()


def test_reading_ends_where_the_file_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    descriptor = files.open_file(str(tmp_path / "file"))

    assert files.read_at(descriptor, 4, 3) == b"3456"
    assert files.read_at(descriptor, 100, 7) == b"789"
    os.close(descriptor)
