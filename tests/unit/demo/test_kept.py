"""What is kept ends with its owner's release, descendants of descendants included."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from demo.kept import KeeperEndedError, Kept, is_alive
from tests.integration.hook_runs import wait_until


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "nsl-kept"
    made.mkdir()
    return made


def line_of(file: Path) -> str:
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
    return file.read_text().strip()


def test_release_ends_the_processes_and_their_orphans_and_deletes_the_directory(
    directory: Path,
) -> None:
    kept = Kept(directory)
    pid = kept.start(
        # A daemon's way: a session of its own, and its parent gone.
        ["sh", "-c", "setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 60' & wait"],
        log=directory / "log",
    )
    orphan = int(line_of(directory / "log"))
    os.kill(pid, signal.SIGKILL)

    kept.release()

    assert not is_alive(pid)
    assert not is_alive(orphan)
    assert not directory.exists()


def test_what_a_process_prints_is_in_its_log(directory: Path) -> None:
    kept = Kept(directory)

    kept.start(["sh", "-c", "echo out; echo err >&2"], log=directory / "log")

    wait_until(lambda: "err" in line_of(directory / "log"))
    assert line_of(directory / "log").split() == ["out", "err"]
    kept.release()


def test_a_keeper_that_ended_is_told(directory: Path) -> None:
    kept = Kept(directory)
    keeper = kept._keeper
    keeper.terminate()
    keeper.wait(timeout=30)

    with pytest.raises(KeeperEndedError):
        kept.start(["true"], log=directory / "log")

    kept.release()
    assert not directory.exists()
