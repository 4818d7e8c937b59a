"""Each syscall of closing and compressing a segment fails in turn; nothing that was synced is lost.

Source: strace(1), `-e inject`; like `test_failing_syscalls.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from nsledger.ledger.compression import clear_unfinished, closed_segments, compress
from nsledger.ledger.reader import entries
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers

ERRORS = ("EIO", "ENOSPC")
# Reads that fail say so, and change nothing; they are tried in `test_failing_syscalls.py`.
CHANGES = "openat,pwrite64,ftruncate,fsync,fdatasync,rename,unlink,close,fchmod"


def trace(directory: Path, *options: str) -> list[str]:
    """Run it under strace, which sees nothing but what changes the ledger; what it said."""
    names = ["lock"]
    for first_seq in (1, 6, 9):
        plain = ledgers.segment(directory, first_seq).name
        names += [plain, f"{plain}.zst", f"{plain}.zst.tmp"]
    paths = [directory, *(directory / name for name in names)]
    watched = [word for path in paths for word in ("-P", str(path))]
    finished = subprocess.run(
        [
            *("strace", "-qq", "-o", str(directory.parent / "trace")),
            *watched,
            *options,
            *(sys.executable, "-m", "tests.fault.appender", "closing", str(directory)),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert finished.stderr == ""
    return finished.stdout.splitlines()


def numbers_in(directory: Path) -> list[int]:
    found = (re.search(rb'"number":(\d+)', entry.line) for entry in entries(str(directory)))
    return [int(number[1]) for number in found if number is not None]


@pytest.mark.fault
def test_whichever_syscall_of_closing_and_compressing_fails_the_ledger_keeps_its_word(
    tmp_path: Path,
) -> None:
    (tmp_path / "list").mkdir()
    ledgers.write(tmp_path / "list" / "ledger", [1, 2])
    said = trace(tmp_path / "list" / "ledger", "-e", f"trace={CHANGES}")
    assert said[-1] == "synced 105"
    assert len(list((tmp_path / "list" / "ledger").glob("*.zst"))) == 2
    counted: Counter[str] = Counter()
    calls: list[tuple[str, int]] = []
    for line in (tmp_path / "list" / "trace").read_text().splitlines():
        call = re.match(r"(\w+)\(", line)
        if call is not None:
            counted[call[1]] += 1
            calls.append((call[1], counted[call[1]]))
    assert counted.keys() >= {"openat", "pwrite64", "fsync", "fdatasync", "rename", "unlink"}

    for number, (name, nth) in enumerate(calls):
        for error in ERRORS:
            home = tmp_path / f"{number}-{error}"
            home.mkdir()
            directory = home / "ledger"
            ledgers.write(directory, [1, 2])

            said = trace(
                directory,
                *("-e", f"trace={CHANGES}"),
                *("-e", f"inject={name}:error={error}:when={nth}"),
            )

            what = f"{name} #{nth} fails with {error}"
            synced = {int(line.split()[1]) for line in said if line.startswith("synced")}
            found = numbers_in(directory)
            assert len(found) == verify(str(directory)).head.seq, what
            assert {1, 2} | synced <= set(found), what

            writer = LedgerWriter.open(str(directory))
            writer.append([ledgers.record(200)])
            writer.close()
            clear_unfinished(str(directory))
            for closed in closed_segments(str(directory)):
                assert compress(str(directory), closed, called_off=bool), what
            verify(str(directory))
            assert numbers_in(directory) == [*found, 200], what
            assert not list(directory.glob("*.tmp")), what
