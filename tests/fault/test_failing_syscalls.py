"""Each syscall of one append fails in turn; then the ledger is opened again and verified.

strace lists what a writer asks of its directory, and then lets one of these calls fail per run.
Source: strace(1), `-e inject`; the method is Tessera's (integration/fault/posix).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger.reader import entries
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers
from tests.fault import appender

ERRORS = ("EIO", "ENOSPC", "EROFS")
TORN = b'{"seq":3,"prev":"12'

Call = tuple[str, int]
"""A syscall's name, and which of its calls, from 1."""


def ledger_before(directory: Path) -> None:
    """Two entries and a torn third: opening it takes every step that opening can take."""
    ledgers.write(directory, [1, 2])
    with ledgers.segment(directory).open("ab") as segment:
        segment.write(TORN)


def run(*command: str, directory: Path, file_limit: int | None = None) -> list[str]:
    """Run `appender.py once`, behind `command`; what it said."""
    limit = () if file_limit is None else ("prlimit", f"--fsize={file_limit}")
    finished = subprocess.run(
        [*limit, *command, sys.executable, "-S", appender.__file__, "once", str(directory)],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    finished.check_returncode()
    assert finished.stderr == ""
    return finished.stdout.splitlines()


def trace(directory: Path, *options: str) -> list[str]:
    """Run it under strace, which sees nothing but the calls on the ledger and its files."""
    paths = [directory, directory / "lock", ledgers.segment(directory), torn_file(directory)]
    watched = [word for path in paths for word in ("-P", str(path))]
    output = str(directory.parent / "trace")
    return run("strace", "-qq", "-o", output, *watched, *options, directory=directory)


def torn_file(directory: Path) -> Path:
    return directory / "torn-00000000000000000003-1"


def calls_of_one_append(directory: Path) -> Iterator[Call]:
    """Every syscall that a writer makes on its directory and the files in it."""
    ledger_before(directory)
    said = trace(directory)
    assert said[-1] == "synced 105"
    counted: Counter[str] = Counter()
    for line in (directory.parent / "trace").read_text().splitlines():
        call = re.match(r"(\w+)\(", line)
        if call is not None:
            counted[call[1]] += 1
            yield call[1], counted[call[1]]


def numbers_in(directory: Path) -> list[int]:
    found = (re.search(rb'"number":(\d+)', entry.line) for entry in entries(str(directory)))
    return [int(number[1]) for number in found if number is not None]


def promised(said: list[str]) -> set[int]:
    return {int(line.split()[1]) for line in said if not line.startswith("failed")}


@pytest.mark.fault
def test_whichever_syscall_fails_the_ledger_verifies_and_keeps_its_word(tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()
    calls = list(calls_of_one_append(tmp_path / "list" / "ledger"))
    names = {name for name, _ in calls}
    assert {"openat", "flock", "pwrite64", "ftruncate", "fsync", "fdatasync", "close"} <= names
    noticed: Counter[str] = Counter()

    for number, (name, nth) in enumerate(calls):
        for error in ERRORS:
            home = tmp_path / f"{number}-{error}"
            directory = home / "ledger"
            home.mkdir()
            ledger_before(directory)

            said = trace(directory, "-e", f"inject={name}:error={error}:when={nth}")

            what = f"{name} #{nth} fails with {error}"
            noticed[name] += any(line.startswith("failed") for line in said)
            verified = verify(str(directory))
            found = numbers_in(directory)
            assert len(found) == verified.head.seq, what
            assert promised(said) <= set(found), what
            assert found[:2] == [1, 2], what
            assert found[2:] in ([], [100, 101, 102], [103, 104, 105], [*range(100, 106)]), what
            kept = b"".join(path.read_bytes() for path in sorted(directory.glob("torn-*")))
            left = ledgers.segment(directory).read_bytes()
            assert TORN in kept + left, what

            writer = LedgerWriter.open(str(directory))
            head = writer.append([ledgers.record(200)])
            writer.close()
            assert verify(str(directory)).head == head, what
            assert numbers_in(directory) == [*found, 200], what

    assert {"pwrite64", "ftruncate", "fsync", "fdatasync", "openat"} <= {
        name for name, count in noticed.items() if count
    }


@pytest.mark.fault
def test_torn_bytes_are_durable_beside_the_ledger_before_they_are_cut_off(tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()

    calls = [name for name, _ in calls_of_one_append(tmp_path / "list" / "ledger")]

    changes = [name for name in calls if name in {"pwrite64", "ftruncate", "fsync", "fdatasync"}]
    directory, evidence, cut = ["fsync"], ["pwrite64", "fsync"], ["ftruncate", "fsync"]
    append = ["pwrite64", "fdatasync"]
    assert changes == directory + evidence + cut + append + append


@pytest.mark.fault
def test_a_write_that_comes_up_short_at_any_byte_is_taken_back(tmp_path: Path) -> None:
    """RLIMIT_FSIZE lets the kernel write up to the limit, then fail with EFBIG."""
    (tmp_path / "list").mkdir()
    ledger_before(tmp_path / "list" / "ledger")
    run(directory=tmp_path / "list" / "ledger")
    full = len(ledgers.segment(tmp_path / "list" / "ledger").read_bytes())
    before = sum(map(len, ledgers.lines(tmp_path / "list" / "ledger")[:2]))

    for limit in range(before + len(TORN), full, 37):
        home = tmp_path / str(limit)
        home.mkdir()
        ledger_before(home / "ledger")

        said = run(directory=home / "ledger", file_limit=limit)

        assert any(line.startswith("failed OSError") for line in said)
        found = numbers_in(home / "ledger")
        assert found == sorted({1, 2} | promised(said))
        assert verify(str(home / "ledger")).unfinished_bytes == 0
