"""docs/habits.md, row by row: what users of other tools type, and what they get."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from tests import programs
from tests.synthetic_node import example_node
from tests.unit.cli.conftest import Nsledger

DOCUMENT = Path(__file__).parents[3] / "docs/habits.md"
ROWS = re.findall(r"^\| \w+ \| `(nsledger [^`]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
EXPECTED: dict[str, tuple[int, str, str]] = {
    "nsledger pods -n kube-system": (0, r"kube-system/node-agent-x7k2p .*", ""),
    "nsledger pods --namespace kube-system": (0, r"kube-system/node-agent-x7k2p .*", ""),
    "nsledger pods -A": (0, r"default/web .*\n.*kube-system/", ""),
    "nsledger pods -l app=web": (2, "", "no labels of pods are on record"),
    "nsledger pods --no-headers": (0, r"\Adefault/debug ", ""),
    "nsledger pods -o name": (0, r"\Adefault/debug\ndefault/web\nkube-system/\S+\n\Z", ""),
    "nsledger pods -o json": (0, r"\A\[", ""),
    "nsledger log -n kube-system --tail 2": (0, r"\A.*\n(.* kube-system/.*\n){2}\Z", ""),
    "nsledger findings -n default": (0, "no findings", ""),
    "nsledger version": (0, r"\Ansledger \d", ""),
    "nsledger help whois": (0, r"\AUsage: nsledger whois ", ""),
    "nsledger pdos": (2, "", "Did you mean pods\\?"),
    "nsledger show wep": (3, "", "there is .web."),
    "nsledger show 5a00000100000": (0, r"\Adefault/web ", ""),
    "nsledger show node-ag": (0, r"\Akube-system/node-agent-x7k2p ", ""),
    'nsledger log --since "1 hour ago"': (0, "", ""),
    "nsledger log --since 5min": (0, "", ""),
    "nsledger log --since 14:03": (0, "", ""),
    "nsledger log --since @1795478000": (0, "pod.requested", ""),
    "nsledger log --lines 2": (0, r"\A.*\n(.*\n){2}\Z", ""),
    "nsledger log -n 2": (0, r"\A.*\n(.*\n){2}\Z", "hint: the newest 2 are --tail 2"),
    "nsledger log --pod nosuch": (3, r"\A\Z", "no record is about nosuch"),
    "nsledger whois 4026532257": (0, "default/web", ""),
    "nsledger whois pid:18477": (0, "default/web", ""),
}
GO_ON = {"nsledger pods -w", "nsledger log -f"}


def test_every_row_is_tried() -> None:
    assert set(ROWS) == EXPECTED.keys() | GO_ON


@pytest.mark.parametrize("row", EXPECTED)
def test_what_is_typed_gets_what_is_expected(nsledger: Nsledger, row: str) -> None:
    code, out, err = EXPECTED[row]

    done = nsledger(*shlex.split(row)[1:])

    assert done.code == code, done.err
    assert re.search(out, done.out)
    assert re.search(err, done.err)
    if not err:
        assert done.err == ""


@pytest.mark.parametrize("row", sorted(GO_ON))
def test_what_goes_on_shows_what_comes(tmp_path: Path, row: str) -> None:
    node = example_node()
    ledger = node.write(tmp_path / "ledger")
    (segment,) = ledger.glob("*.jsonl")
    whole = segment.read_bytes()
    lines = whole.splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:12]))

    with programs.started(shlex.split(row)[1:], programs.environment(ledger)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(0.5)
        segment.write_bytes(whole)
        for line in process.stdout:
            if b"kube-system/node-agent-x7k2p" in line:
                break
        else:
            pytest.fail("it was never shown")
        process.terminate()

    assert first


def test_long_output_on_a_terminal_goes_through_the_pager(
    example_ledger: Path, tmp_path: Path
) -> None:
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path}/paged\n")
    pager.chmod(0o755)
    env = programs.environment(example_ledger)
    del env["NSLEDGER_PAGER"]
    env["PAGER"] = str(pager)

    long_code, long_ = programs.run(["log", "-o", "yaml"], env, columns=100)
    short_code, short = programs.run(["pods"], env, columns=100)

    assert (long_code, long_) == (0, "")
    assert (tmp_path / "paged").read_text().count("pod.requested") >= 3
    assert short_code == 0
    assert "default/web" in short


def test_a_reader_who_leaves_the_pager_early_ends_the_command(
    example_ledger: Path, tmp_path: Path
) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nexit 0\n")
    pager.chmod(0o755)
    env = {**programs.environment(example_ledger), "NSLEDGER_PAGER": str(pager)}

    code, shown = programs.run(["log", "-o", "json"], env, columns=80)

    assert "Traceback" not in shown
    assert code in {0, 141}
