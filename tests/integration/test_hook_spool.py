"""The record in the spool: all of it or nothing, and no spool never fails a container."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.hook_runs import (
    HOOK,
    PYTHON,
    assert_survived,
    records_in,
    run_hook,
    state_of,
)


def missing(spool: Path) -> None:
    """Nothing is there."""


def a_file(spool: Path) -> None:
    """A file is there."""
    spool.touch()


def a_fifo(spool: Path) -> None:
    """A FIFO is there."""
    os.mkfifo(spool)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(missing, "ENOENT"), (a_file, "ENOTDIR"), (a_fifo, "ENOTDIR")],
    ids=["missing", "file", "fifo"],
)
def test_no_spool_never_fails_a_container(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "spool")

    run = run_hook(state_of(os.getpid()), "--spool", tmp_path / "spool")

    assert_survived(run)
    assert run.stderr == f"nsledger-hook: no record: {reason}\n"


@pytest.mark.root
@pytest.mark.parametrize(
    ("options", "reason"), [("ro", "EROFS"), ("nr_inodes=1", "ENOSPC"), ("size=4k", "ENOSPC")]
)
def test_a_full_or_read_only_spool_never_fails_a_container_and_keeps_no_half(
    options: str, reason: str, tmp_path: Path
) -> None:
    # The mount is gone with the shell. Its last word is what the hook left in the spool.
    script = """
        mount -t tmpfs -o "$1" tmpfs "$2" || exit 9
        [ "$1" = size=4k ] && head -c 4096 /dev/zero > "$2/filler"
        shift; spool="$1"; shift
        "$@"; code=$?
        ls -A "$spool" | grep -v filler >&2
        exit $code
    """
    program = ("unshare", "-m", "sh", "-c", script, "-", options, tmp_path, PYTHON, "-I", "-S")

    run = run_hook(
        state_of(os.getpid()),
        "--spool",
        tmp_path,
        program=("env", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", *program, HOOK),
    )

    assert_survived(run)
    assert run.stderr == f"nsledger-hook: no record: {reason}\n"


def test_a_file_size_limit_never_fails_a_container_and_keeps_no_half(tmp_path: Path) -> None:
    allow_100_bytes = "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"

    run = run_hook(state_of(os.getpid()), "--spool", tmp_path, prepare=allow_100_bytes)

    assert_survived(run)
    assert run.stderr == "nsledger-hook: no record: EFBIG\n"
    assert list(tmp_path.iterdir()) == []


def test_no_memory_never_fails_a_container(tmp_path: Path) -> None:
    allow_60_mb = "resource.setrlimit(resource.RLIMIT_AS, (60 << 20, 60 << 20))"
    state = b'{"a": [' + b"[]," * (3 << 20) + b"[]]}"

    run = run_hook(state, "--spool", tmp_path, prepare=allow_60_mb)

    assert_survived(run)
    (record,) = records_in(tmp_path)
    assert record["errors"] == ["internal:MemoryError"]


def test_no_descriptor_left_never_fails_a_container(tmp_path: Path) -> None:
    allow_5_descriptors = "resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))"

    run = run_hook(state_of(os.getpid()), "--spool", tmp_path, prepare=allow_5_descriptors)

    assert_survived(run)


def test_a_record_is_for_its_owner_only(tmp_path: Path) -> None:
    run = run_hook(state_of(os.getpid()), "--spool", tmp_path, prepare="os.umask(0)")

    assert run.stderr == ""
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_hooks_at_one_time_leave_a_record_each(tmp_path: Path) -> None:
    words = [PYTHON, "-I", "-S", str(HOOK), "--spool", str(tmp_path)]
    children = [subprocess.Popen(words, stdin=subprocess.PIPE) for _ in range(20)]
    for child in children:
        assert child.stdin
        child.stdin.write(state_of(os.getpid()))
        child.stdin.close()

    assert [child.wait(timeout=30) for child in children] == [0] * 20
    assert len(records_in(tmp_path)) == 20
    assert len(list(tmp_path.iterdir())) == 20
