from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.commands import report
from tests import programs
from tests.synthetic_node import SyntheticNode, example_node
from tests.unit.cli.conftest import Done, Nsledger


def data(page: str) -> dict[str, Any]:
    block = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    found: dict[str, Any] = json.loads(block[1])
    return found


def names(done: Done) -> list[str]:
    return [pod["full_name"] for pod in data(done.out)["pods"]]


def test_the_pods_are_those_that_pods_lists(nsledger: Nsledger) -> None:
    for arguments in ([], ["-a"], ["-n", "default"], ["-n", "kube-*", "-a"]):
        listed = nsledger("pods", *arguments, "-o", "name").out.splitlines()

        assert names(nsledger("report", *arguments)) == listed


def test_pods_that_are_named_are_drawn_be_they_gone_or_not(nsledger: Nsledger) -> None:
    done = nsledger("report", "web", "job-29184", "default/web")

    assert (done.code, done.err) == (0, "")
    assert names(done) == ["default/job-29184", "default/web"]


def test_a_page_can_be_written_to_a_file(nsledger: Nsledger, tmp_path: Path) -> None:
    path = tmp_path / "node.html"

    done = nsledger("report", "-f", str(path))

    assert (done.code, done.out, done.err) == (0, "", "")
    assert path.read_text(encoding="utf-8") == nsledger("report").out


@pytest.mark.parametrize(
    ("output", "begins"),
    [("html", "<!doctype html>"), ("svg", "<svg "), ("mermaid", "flowchart ")],
)
def test_each_form_is_written(nsledger: Nsledger, output: str, begins: str) -> None:
    done = nsledger("report", "-o", output)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(begins)


@pytest.mark.parametrize("output", ["svg", "mermaid"])
def test_a_picture_can_be_of_some_types(nsledger: Nsledger, output: str) -> None:
    done = nsledger("report", "web", "-o", output, "--type", "pid", "--type", "net")

    words = set(re.findall(r"[a-z]+", done.out))
    assert {"net", "pid"} <= words
    assert not {"uts", "cgroup"} & words


def test_at_a_moment_the_page_is_of_that_moment(nsledger: Nsledger) -> None:
    done = nsledger("report", "--at", "2026-11-24T00:04:18Z")

    found = data(done.out)
    assert "default/job-29184" in names(done)
    assert found["at"] == "2026-11-24T00:04:18.000000000Z"
    assert all(span[5] is None for span in found["spans"])
    # Nothing that was written later is told.
    assert found["node"]["last"][1] < found["at"]


def test_before_the_first_record_there_is_no_page(nsledger: Nsledger, tmp_path: Path) -> None:
    path = tmp_path / "node.html"

    done = nsledger("report", "--at", "2020-01-01", "-f", str(path))

    assert done.code == exit_codes.NO_ANSWER
    assert not path.exists()


def test_a_written_report_ends_with_0_even_where_layers_disagree(
    nsledger: Nsledger, odd_ledger: Path
) -> None:
    for output in ("html", "svg", "mermaid"):
        done = nsledger("report", "-o", output, "--ledger", str(odd_ledger))

        assert done.code == exit_codes.OK
        assert "\u2260" in done.out or "#8800;" in done.out


def test_findings_are_of_the_node_and_of_the_pods_that_were_chosen(
    nsledger: Nsledger, odd_ledger: Path
) -> None:
    every = nsledger("report", "--ledger", str(odd_ledger))
    chosen = nsledger("report", "web", "--ledger", str(odd_ledger))

    about = {one.get("pod", "") for one in data(every.out)["findings"]}
    assert {"default/odd", "kube-system/node-agent-x7k2p", ""} <= about
    assert {one.get("pod", "") for one in data(chosen.out)["findings"]} == {""}


def test_nothing_to_draw_is_said_beside_the_page(nsledger: Nsledger) -> None:
    done = nsledger("report", "-n", "nowhere")

    assert done.code == 0
    assert names(done) == []
    assert done.err == "no such pod among the 4 on record\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["web", "-n", "default"], "found both POD and --k8s-namespace"),
        (["--type", "net"], "found --type with html"),
        (["nobody"], "no pod 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    nsledger: Nsledger, arguments: list[str], said: str
) -> None:
    done = nsledger("report", *arguments)

    assert done.code in {exit_codes.USAGE, exit_codes.NO_ANSWER}
    assert done.out == ""
    assert said in done.err


@pytest.mark.parametrize("output", ["html", "svg"])
def test_no_page_is_written_to_a_terminal(
    example_ledger: Path, output: str, capfd: pytest.CaptureFixture[str]
) -> None:
    env = programs.environment(example_ledger)

    code, out = programs.run(["report", "-o", output], env, columns=100)

    said = capfd.readouterr().err
    assert (code, out) == (exit_codes.USAGE, "")
    assert f"found a terminal, needed a file for {output}" in said
    assert f"-f node.{output}" in said


def test_a_file_that_cannot_be_written_is_not_blamed_on_the_ledger(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    done = nsledger("report", "-f", str(tmp_path / "nowhere/node.html"))

    assert done.code == exit_codes.NO_ANSWER
    assert "nowhere/node.html: No such file or directory" in done.err
    assert "serve" not in done.err


def test_of_too_many_pods_that_are_gone_the_last_are_drawn_and_it_is_said(
    nsledger: Nsledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = example_node()
    for number in range(5):
        node.stop_pod(node.run_pod(f"short-{number}"))
    monkeypatch.setattr(report, "_MOST_ENDED", 2)

    done = nsledger("report", "-a", "--ledger", str(node.write(tmp_path / "ledger")))

    assert [name for name in names(done) if "short" in name] == [
        "default/short-3",
        "default/short-4",
    ]
    assert done.err == "4 older pods that are gone were left out\n"
    assert data(done.out)["leftOut"] == 4


def test_a_moment_that_nobody_watched_is_told(nsledger: Nsledger, tmp_path: Path) -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.run_pod("web")
    node.stop_daemon()
    node.wait(10)
    moment = node.now
    node.wait(10)
    node.start_daemon()

    done = nsledger("report", "--at", moment, "--ledger", str(node.write(tmp_path / "ledger")))

    (hole,) = data(done.out)["unwatched"]
    assert hole[2] == "nsledger serve was stopped"
