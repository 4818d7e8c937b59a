from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nsledger.ledger import place
from nsledger.ledger import verify as parallel
from nsledger.ledger.checkpoint import Marks
from nsledger.ledger.verify import useful_processes, verify, walked_ahead
from nsledger.ledger.verify import walk as real
from tests import programs, tampering

# The runner of these tests has threads of its own, and newer Pythons warn of forking then.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tampering.make(tmp_path / "ledger")


def test_every_segment_is_walked_in_order(ledger: Path) -> None:
    early = list(walked_ahead(place.find(str(ledger)).segments, Marks(), 2))

    assert [one.walked.head.seq for one in early if one] == [10, 20, 30]
    assert [one.before.seq for one in early if one] == [0, 10, 20]


def test_a_segment_with_anything_wrong_is_left_to_the_caller(ledger: Path) -> None:
    segments = place.find(str(ledger)).segments
    Path(segments[1][1]).write_text("nothing\n")
    Path(segments[2][1]).unlink()

    early = list(walked_ahead(segments, Marks(), 2))

    assert [one is None for one in early] == [False, True, True]


def test_other_processes_really_do_the_work(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.getpid()

    def walk(path: str, before: object, **more: object) -> object:
        assert os.getpid() != ours
        return real(path, before, **more)  # type: ignore[arg-type]  # passes on what it got

    monkeypatch.setattr(parallel, "walk", walk)

    assert None not in list(walked_ahead(place.find(str(ledger)).segments, Marks(), 2))


def test_killed_processes_change_nothing_but_the_time(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = os.getpid()

    def dies(path: str, before: object, **more: object) -> object:
        if os.getpid() != ours:  # this one walks by itself what the others did not
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, before, **more)  # type: ignore[arg-type]  # passes on what it got

    monkeypatch.setattr(parallel, "walk", dies)

    assert verify(str(ledger), processes=2).head == verify(str(ledger)).head


def test_no_processes_to_be_had_changes_nothing_either(ledger: Path) -> None:
    # In a process of its own: a pool that came to nothing keeps its pipes until the end.
    script = (
        "import os, sys; from nsledger.ledger.verify import verify\n"
        "def fork(): raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "os.fork = fork\n"
        "print(verify(sys.argv[1], processes=2).head.seq)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(ledger)],
        env={"PYTHONPATH": str(programs.SHIM)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("30\n", "")


def test_a_claim_that_proves_wrong_is_not_taken(ledger: Path) -> None:
    tampering.TAMPERINGS[0].apply(ledger)
    early = list(walked_ahead(place.find(str(ledger)).segments, Marks(), 2))
    assert early[2] is not None, "the third segment is sound in itself"

    other = tampering.make(ledger.parent / "foreign", "0d" * 16)
    (ledger / "00000000000000000021.jsonl").write_bytes(
        (other / "00000000000000000021.jsonl").read_bytes()
    )
    early = list(walked_ahead(place.find(str(ledger)).segments, Marks(), 2))
    assert early[2] is not None, "so is one of another ledger"


def test_small_ledgers_are_walked_alone() -> None:
    assert useful_processes(1 << 20) == 1
    assert useful_processes(1 << 40) == len(os.sched_getaffinity(0))
