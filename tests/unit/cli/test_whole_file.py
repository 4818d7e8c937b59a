from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nsledger.cli.output import write_whole
from tests import programs


def test_a_new_file_is_as_the_umask_has_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    before = os.umask(0o027)
    try:
        write_whole(str(path), "new \u25b2")
    finally:
        os.umask(before)

    assert path.read_text(encoding="utf-8") == "new \u25b2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_is_there_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old and longer")
    path.chmod(0o600)

    write_whole(str(path), "new")

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_leads_to_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    link = tmp_path / "link"
    link.symlink_to("page.html")

    write_whole(str(link), "new")

    assert link.is_symlink()
    assert (tmp_path / "page.html").read_text() == "new"


def test_what_is_no_regular_file_is_written_into(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        write_whole(str(fifo), "through")
        out, _ = reader.communicate(timeout=10)

    assert out == b"through"
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_where_it_cannot_be_written_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(str(path), "new")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_told_by_the_users_path(tmp_path: Path) -> None:
    path = tmp_path / "nowhere/page.html"

    with pytest.raises(FileNotFoundError) as caught:
        write_whole(str(path), "new")

    assert caught.value.filename == str(path)


def test_standard_output_gets_utf8_in_every_locale() -> None:
    code = "from nsledger.cli.output import write_whole; write_whole('-', '\\u25b2')"
    env = {"PYTHONPATH": str(programs.SHIM), "PYTHONIOENCODING": "latin-1"}

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)

    assert done.stdout == "\u25b2".encode()
