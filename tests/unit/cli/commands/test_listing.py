from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from tests import ledgers, programs, tampering
from tests.synthetic_node import SyntheticNode, example_node
from tests.unit.cli.conftest import Nsledger


def seqs(out: str) -> list[int]:
    return [json.loads(line)["seq"] for line in out.splitlines()]


def listed(nsledger: Nsledger, *arguments: str) -> list[int]:
    done = nsledger("log", "-o", "jsonl", *arguments)
    assert (done.code, done.err) == (0, "")
    return seqs(done.out)


def test_all_records_are_listed_oldest_first(nsledger: Nsledger) -> None:
    assert listed(nsledger) == list(range(1, 39))


def test_the_newest_are_listed_in_their_order_or_backwards(nsledger: Nsledger) -> None:
    assert listed(nsledger, "--tail", "3") == [36, 37, 38]
    assert listed(nsledger, "--tail", "3", "-r") == [38, 37, 36]
    assert listed(nsledger, "-r") == list(range(38, 0, -1))
    assert listed(nsledger, "--tail", "0") == []


def test_the_newest_are_counted_after_selecting(nsledger: Nsledger) -> None:
    assert listed(nsledger, "--event", "pod.assigned", "--tail", "2") == [24, 30]


def test_filters_select(nsledger: Nsledger) -> None:
    assert listed(nsledger, "--pod", "web", "--event", "*.started") == [8, 12]
    assert listed(nsledger, "--container", "app", "--source", "oci_hook") == [7]
    since = ["--since", "2026-11-24T00:04:20Z", "--until", "2026-11-24T00:04:20.58Z"]
    assert listed(nsledger, *since) == [35, 36]
    assert listed(nsledger, "--utc", "--since", "2026-11-24 00:04:20") == [35, 36, 37, 38]


def test_a_clock_that_was_set_back_hides_nothing(nsledger: Nsledger, tmp_path: Path) -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.wait(-3600)
    node.start_daemon()
    node.write(tmp_path / "ledger")

    since = ["--since", "2026-11-24T00:00:00Z", "--ledger", str(tmp_path / "ledger")]
    assert listed(nsledger, *since) == [1]
    assert listed(nsledger, *since[2:], "--until", "2026-11-24T00:00:00Z") == [2]


def test_an_empty_ledger_lists_nothing(nsledger: Nsledger, tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])

    done = nsledger("log", "--ledger", str(tmp_path))

    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_copied_file_is_listed_like_the_ledger(nsledger: Nsledger, tmp_path: Path) -> None:
    copy = tmp_path / "evidence"
    copy.write_bytes(b"".join(ledgers.lines(example_node().write(tmp_path / "ledger"))))

    assert listed(nsledger, "--ledger", str(copy)) == list(range(1, 39))


def test_all_that_is_an_entry_is_listed_and_then_damage_is_told(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    directory = example_node().write(tmp_path / "ledger")
    lines = ledgers.lines(directory)
    ledgers.replace(directory, [*lines[:5], b"damage\n", *lines[6:]])

    done = nsledger("log", "-o", "jsonl", "--ledger", str(directory))

    assert seqs(done.out) == [*range(1, 6), *range(7, 39)]
    assert done.code == exit_codes.FOUND
    assert "the ledger is damaged: entry 6 (" in done.err


def test_an_event_of_a_newer_version_is_listed_by_its_name(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    node = example_node()
    node.records = [
        node.records[0].replace(
            b"ledger.created", b"ledger.\x1b]sealed".replace(b"\x1b", b"\\u001b")
        )
    ]
    directory = node.write(tmp_path / "ledger")

    done = nsledger("log", "--ledger", str(directory))

    assert done.code == 0
    assert r"ledger.\x1b]sealed" in done.out
    assert "not known to this version" in done.out


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be nobody for a while: root may read everything."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.root
@pytest.mark.parametrize(
    "arguments", [["log"], ["verify"], ["show", "web"], ["whois", "net:[4026532257]"]]
)
def test_a_ledger_that_one_may_not_read_says_who_may(
    nsledger: Nsledger, tmp_path: Path, arguments: list[str]
) -> None:
    ledger = str(example_node().write(tmp_path / "ledger"))
    assert nsledger(*arguments).code == 0, "and all of it is imported"

    with somebody_else():
        done = nsledger(*arguments, "--ledger", ledger)

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "Permission denied" in done.err
    assert "try again with sudo" in done.err


@contextmanager
def following(ledger: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*programs.COMMAND, "log", "-f", "-o", "jsonl", *arguments],
        env=programs.environment(ledger),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_seq(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["seq"])


def test_following_goes_on_with_what_is_recorded_and_ends_at_once(tmp_path: Path) -> None:
    node = example_node()
    ledger = node.write(tmp_path / "ledger")

    with following(ledger, "--tail", "1") as process:
        assert next_seq(process) == 38
        node.run_pod("new")
        node.write(ledger)
        assert [next_seq(process), next_seq(process)] == [39, 40]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (exit_codes.INTERRUPTED, b"")


def test_following_selects_too_and_misses_nothing(tmp_path: Path) -> None:
    node = example_node()
    ledger = node.write(tmp_path / "ledger")

    with following(ledger, "--tail", "1", "--event", "pod.assigned") as process:
        assert next_seq(process) < 39
        for number in range(50):
            node.run_pod(f"new-{number}")
            node.write(ledger)
        found = [next_seq(process) for _ in range(50)]
        process.send_signal(signal.SIGTERM)

    assert found == list(range(40, 140, 2))


def cursor_at(ledger: Path, seq: int) -> str:
    line = ledgers.lines(ledger)[seq - 1]
    return f"{seq}:{hashlib.sha256(line).hexdigest()}"


def test_a_shipper_goes_on_exactly_behind_what_it_has(
    nsledger: Nsledger, example_ledger: Path
) -> None:
    beginning = f"0:{'0' * 64}"

    assert listed(nsledger, "--cursor", beginning) == list(range(1, 39))
    assert listed(nsledger, "--cursor", cursor_at(example_ledger, 20)) == list(range(21, 39))
    assert listed(nsledger, "--cursor", cursor_at(example_ledger, 38)) == []
    assert listed(nsledger, "--cursor", cursor_at(example_ledger, 20), "--tail", "2") == [37, 38]
    assert listed(nsledger, "--cursor", cursor_at(example_ledger, 36), "-r") == [38, 37]
    assert listed(nsledger, "--cursor", cursor_at(example_ledger, 36), "--tail", "9") == [37, 38]


def test_a_ledger_that_is_not_the_one_that_was_read_is_said(
    nsledger: Nsledger, example_ledger: Path
) -> None:
    wrong_hash = cursor_at(example_ledger, 20).replace("20:", "21:")
    replaced = nsledger("log", "--cursor", wrong_hash)
    shorter = nsledger("log", "--cursor", cursor_at(example_ledger, 20).replace("20:", "99:"))

    for done in (replaced, shorter):
        assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
        assert "The ledger was replaced, cut or rewritten since" in done.err
    assert "needed entry 21 with the hash" in replaced.err
    assert "found a ledger without that entry, needed entry 99" in shorter.err


def test_what_was_pruned_before_it_was_shipped_is_said(nsledger: Nsledger, tmp_path: Path) -> None:
    ledger = tampering.make(tmp_path / "ledger")
    shipped, last_removed = cursor_at(ledger, 7), cursor_at(ledger, 10)
    tampering.prune(ledger)

    done = nsledger("log", "--cursor", shipped, "--ledger", str(ledger))

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "begins with entry 11, needed entry 8: 3 were removed by retention" in done.err
    assert listed(nsledger, "--cursor", last_removed, "--ledger", str(ledger))[0] == 11


def test_a_cursor_that_is_none_is_wrong_usage(nsledger: Nsledger) -> None:
    for text in ("7", "7:", f"07:{'0' * 64}", f"7:{'0' * 63}", "x" * 200):
        done = nsledger("log", "--cursor", text)

        assert (done.code, done.out) == (exit_codes.USAGE, "")
        assert "needed SEQ:HASH" in done.err
