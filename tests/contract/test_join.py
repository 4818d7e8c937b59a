"""Events of other tools, as they write them, and what `nsledger join` makes of them.

`NSLEDGER_GOLDEN=write` writes the golden files anew.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import golden, programs
from tests.synthetic_node import example_node

VECTORS = Path(__file__).with_name("vectors") / "join"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_node().write(tmp_path_factory.mktemp("join") / "ledger")


def join(ledger: Path, given: bytes, *options: str) -> tuple[list[str], str]:
    done = subprocess.run(
        [*programs.COMMAND, "join", *options],
        input=given,
        env=programs.environment(ledger),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode(errors="replace").splitlines(), done.stderr.decode()


@pytest.mark.parametrize("tool", ["tetragon", "inspektor-gadget", "tracee", "falco", "odd"])
def test_events_of_other_tools_get_their_pod(ledger: Path, tool: str) -> None:
    given = (VECTORS / f"{tool}.jsonl").read_bytes()

    joined, _ = join(ledger, given)

    golden.check(VECTORS / f"{tool}.joined.jsonl", joined)
    for before, after in zip(given.decode().splitlines(), joined, strict=True):
        try:
            event = json.loads(before)
        except ValueError:
            assert after == before
            continue
        if isinstance(event, dict):
            found = json.loads(after)
            assert found.pop("nsledger")["outcome"]
            assert found == event


def test_a_line_that_is_no_object_goes_through_with_a_note(ledger: Path) -> None:
    joined, told = join(ledger, b'nonsense\n[1]\n{"mntns_id":4026532261}\n\xff\n')

    assert joined[:2] == ["nonsense", "[1]"]
    assert json.loads(joined[2])["nsledger"]["container"] == "app"
    assert [line.partition(" goes")[0] for line in told.splitlines()] == [
        "nsledger: line 1",
        "nsledger: line 2",
        "nsledger: line 4",
    ]


def test_a_key_may_be_named(ledger: Path) -> None:
    given = b'{"a":{"b":"net:[4026532257]","t":"2026-11-24T00:04:00Z"},"mntns_id":1}\n'

    (joined,), _ = join(ledger, given, "--key", "a.b", "--time-key", "a.t")

    found = json.loads(joined)["nsledger"]
    assert (found["outcome"], found["by"], found["pod"]) == ("one_pod", "a.b", "web")
    assert "container" not in found  # all of the pod's have it


def test_the_time_of_the_event_decides(ledger: Path) -> None:
    (joined,), _ = join(ledger, b'{"mntns_id":4026532261,"time":"2020-01-01T00:00:00Z"}\n')

    found = json.loads(joined)["nsledger"]
    assert found["outcome"] == "unknown"
    assert found["reason"].startswith("the ledger begins at")
