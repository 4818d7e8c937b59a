"""Events of other tools, as they write them, and what `nsledger join` makes of them.

`NSLEDGER_GOLDEN=write` writes the golden files anew.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from nsledger.model.record import Record
from tests import golden, programs
from tests.synthetic_node import SyntheticNode, example_node

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


def reused(directory: Path) -> tuple[Path, int, list[Record]]:
    """An inode of pod `j5` that pod `j6` got later; the two starts."""
    node = SyntheticNode(ns_ids=False)
    node.create_ledger()
    node.start_daemon()
    starts: list[Record] = []
    held: list[set[int]] = []
    for name in ("j5", "j6"):
        node.wait(100)
        sandbox = node.run_pod(name)
        container = node.run_container(sandbox, "app")
        starts.append(node.decoded()[-1])
        held.append({one.ino for one in node.readings[container].namespaces.values()})
        held[-1] -= {one.ino for one in node.readings["host"].namespaces.values()}
        node.wait(100)
        node.stop_pod(sandbox)
    return node.write(directory / "ledger"), min(held[0] & held[1]), starts


def test_a_time_since_boot_is_held_against_both_clocks_of_the_record(tmp_path: Path) -> None:
    ledger, ino, starts = reused(tmp_path)

    for pod, start in zip(("j5", "j6"), starts, strict=True):
        event = {"ns": f"ino:{ino}", "timestamp": start.mono_ns + 10**9}
        (joined,), _ = join(ledger, json.dumps(event).encode() + b"\n", "--key", "ns")
        assert json.loads(joined)["nsledger"]["pod"] == pod


def test_a_number_that_is_no_time_of_the_record_is_no_time(tmp_path: Path) -> None:
    ledger, ino, _ = reused(tmp_path)

    for number in (3505515273494 * 9, 1 << 62, 5):
        (joined,), _ = join(
            ledger, json.dumps({"ns": f"ino:{ino}", "timestamp": number}).encode(), "--key", "ns"
        )
        found = json.loads(joined)["nsledger"]
        assert (found["outcome"], found["pods"]) == ("several_pods", ["default/j5", "default/j6"])


def test_an_event_of_the_future_is_nobodys(ledger: Path) -> None:
    (joined,), _ = join(ledger, b'{"mntns_id":4026532261,"time":"2081-01-31T00:00:00Z"}\n')

    assert json.loads(joined)["nsledger"]["outcome"] == "unknown"


@pytest.mark.parametrize(
    "event",
    [
        '{"runtime": {"containerId": "ID"}}',
        '{"runtime.containerId": "ID"}',
        '{"process_exec": {"process": {"docker": "SHORT"}}}',
        '{"process_exec": {"process": {"pod": {"container": {"id": "containerd://ID"}}}}}',
        '{"output_fields": {"container.id": "SHORT"}}',
    ],
)
def test_a_container_id_is_enough(ledger: Path, event: str) -> None:
    (first,), _ = join(ledger, b'{"mntns_id":4026532261}\n')
    container_id = json.loads(first)["nsledger"]["container_id"]
    asked = event.replace("ID", container_id).replace("SHORT", container_id[:31])

    (joined,), _ = join(ledger, asked.encode() + b"\n")

    assert json.loads(joined)["nsledger"]["container_id"] == container_id
