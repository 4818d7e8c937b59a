"""The hook is gone by its deadline, and holds nothing of the runtime open."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nsledger_hook import hook
from tests.integration.hook_runs import (
    HANGS_IN_THE_SPOOL,
    HOOK,
    PYTHON,
    HookRun,
    assert_survived,
    records_in,
    run_hook,
    state_of,
    wait_until,
)
from tests.prepared import prepared

DEADLINE_MS = 400
DEADLINE_AND_START_S = 2.0
"""The deadline, and what an interpreter may take to start on a busy machine."""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_standard_descriptors_do_not_end_up_in_the_record(
    closed: tuple[int, ...], tmp_path: Path
) -> None:
    close = "; ".join(f"os.close({fd})" for fd in closed)

    run = run_hook(state_of("bad"), "--spool", tmp_path, prepare=close)

    assert run.exit_code == 0
    (record,) = records_in(tmp_path)
    assert record["errors"] == ["state_not_json" if 0 in closed else "field_invalid"]


def test_a_runtime_that_stopped_listening_never_fails_a_container(tmp_path: Path) -> None:
    close_the_listener = "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 2)"

    run = run_hook(b"bad", "--spool", tmp_path / "missing", prepare=close_the_listener)

    assert run.exit_code == 0


def start(
    *options: object,
    program: tuple[object, ...] = (PYTHON, "-I", "-S", HOOK),
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """A hook whose state is still to come."""
    words = [str(word) for word in (*program, "--deadline-ms", DEADLINE_MS, *options)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=stderr, env={})


def ended(child: subprocess.Popen[bytes], started_s: float) -> HookRun:
    """How it ended, by itself, while its stdin stays open."""
    exit_code = child.wait(timeout=30)
    duration_s = time.monotonic() - started_s
    stderr = child.stderr.read().decode() if child.stderr else ""
    for stream in (child.stdin, child.stderr):
        if stream:
            stream.close()
    return HookRun(exit_code, stderr, duration_s)


def test_a_runtime_that_never_ends_its_state_is_not_waited_for(tmp_path: Path) -> None:
    started_s = time.monotonic()
    child = start("--spool", tmp_path)

    run = ended(child, started_s)

    assert_survived(run)
    assert DEADLINE_MS / 1000 * 0.7 < run.duration_s < DEADLINE_AND_START_S
    (record,) = records_in(tmp_path)
    assert record["errors"] == ["deadline"]
    assert record["missing"] == dict.fromkeys(hook.TYPES, "no_pid")


def test_a_spool_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    started_s = time.monotonic()
    program = (PYTHON, "-I", "-S", "-c", HANGS_IN_THE_SPOOL, HOOK)
    child = start("--spool", "/hanging", program=program)
    assert child.stdin
    child.stdin.write(state_of(os.getpid()))
    child.stdin.close()

    run = ended(child, started_s)

    assert_survived(run)
    assert run.stderr == "nsledger-hook: no record: the deadline passed\n"
    assert DEADLINE_MS / 1000 * 0.7 < run.duration_s < DEADLINE_AND_START_S


def test_a_runtime_that_does_not_read_stderr_is_not_waited_for(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    started_s = time.monotonic()
    child = start("--spool", tmp_path / "missing", stderr=writer)
    assert child.stdin
    child.stdin.close()

    run = ended(child, started_s)
    os.close(reader)
    os.close(writer)

    assert run.exit_code == 0
    assert run.duration_s < DEADLINE_AND_START_S


def waits_for_its_state(pid: int) -> bool:
    """Whether the process sleeps, and has its signal handlers by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert caught
    return "State:\tS" in status and bool(int(caught[1], 16) & 1 << (signal.SIGALRM - 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_reading_and_not_the_container(
    number: signal.Signals, tmp_path: Path
) -> None:
    started_s = time.monotonic()
    child = start("--spool", tmp_path, "--deadline-ms", 20_000)
    wait_until(lambda: waits_for_its_state(child.pid))

    child.send_signal(number)

    run = ended(child, started_s)
    assert_survived(run)
    assert run.duration_s < 10
    (record,) = records_in(tmp_path)
    assert record["errors"] == ["deadline"]


def test_the_deadline_holds_where_the_runtime_blocks_the_alarm(tmp_path: Path) -> None:
    block = (
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]);"
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)"
    )
    hook = [PYTHON, "-I", "-S", HOOK, "--spool", tmp_path, "--deadline-ms", DEADLINE_MS]
    reader, writer = os.pipe()
    started_s = time.monotonic()
    done = subprocess.run(
        prepared(block, hook),
        stdin=reader,
        check=False,
        timeout=30,
        capture_output=True,
    )
    os.close(reader)
    os.close(writer)

    assert done.returncode == 0
    assert time.monotonic() - started_s < DEADLINE_AND_START_S


def test_nothing_of_the_hook_keeps_the_runtimes_pipes_open(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = start("--spool", tmp_path, stderr=writer)
    os.close(writer)
    assert child.stdin
    child.stdin.write(state_of(os.getpid()))
    child.stdin.close()
    child.wait(timeout=30)

    started_s = time.monotonic()
    rest = os.read(reader, 1)
    os.close(reader)

    assert rest == b""
    assert time.monotonic() - started_s < 0.1


def test_failing_is_the_operators_choice_by_the_deadline_too(tmp_path: Path) -> None:
    started_s = time.monotonic()
    child = start("--spool", tmp_path, "--failure-policy", "fail")

    assert ended(child, started_s).exit_code == 1
