from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nsledger.proc.process import is_alive, open_process, read_file, read_stat


def start_ticks(pid: int) -> int:
    process = open_process(pid)
    try:
        return read_stat(process).start_ticks
    finally:
        os.close(process)


def test_a_running_process_is_alive_under_its_own_start_only() -> None:
    with subprocess.Popen(["sleep", "30"]) as child:
        ticks = start_ticks(child.pid)

        assert is_alive(child.pid, ticks)
        assert not is_alive(child.pid, ticks - 1)
        child.kill()


def test_a_process_that_has_ended_is_not_alive_even_before_anybody_waited() -> None:
    with subprocess.Popen(["sleep", "30"]) as child:
        ticks = start_ticks(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert Path(f"/proc/{child.pid}").exists()
        assert not is_alive(child.pid, ticks)
    assert not is_alive(child.pid, ticks)


def test_a_stopped_process_is_alive() -> None:
    with subprocess.Popen(["sleep", "30"]) as child:
        ticks = start_ticks(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)

        assert is_alive(child.pid, ticks)
        child.kill()


def test_the_start_is_found_behind_a_command_name_that_looks_like_fields() -> None:
    """The name is the program's own choice, up to 15 bytes."""
    script = (
        "import pathlib, sys; pathlib.Path('/proc/self/comm').write_text(') Z 1 (2 3'); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        field_22 = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8").split()[-31]

        assert ") Z 1 (2 3" in Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8")
        assert start_ticks(child.pid) == int(field_22)
        assert is_alive(child.pid, int(field_22))


def test_no_process_has_an_impossible_pid() -> None:
    assert not is_alive(2**31 - 1, 1)
    with pytest.raises(FileNotFoundError):
        open_process(2**31 - 1)


def test_an_opened_process_stays_itself_when_it_is_gone() -> None:
    with subprocess.Popen(["sleep", "30"]) as child:
        process = open_process(child.pid)
        child.kill()
    try:
        with pytest.raises((ProcessLookupError, FileNotFoundError)):
            read_file(process, "stat")
    finally:
        os.close(process)
