from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nsledger.cli import exit_codes
from tests.synthetic_node import SyntheticNode
from tests.unit.cli.conftest import Nsledger


def test_pods_that_run_are_listed(nsledger: Nsledger) -> None:
    done = nsledger("pods")

    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()[1:-1]] == [
        "default/debug",
        "default/web",
        "kube-system/node-agent-x7k2p",
    ]


def test_names_are_for_scripts(nsledger: Nsledger) -> None:
    done = nsledger("pods", "-n", "default", "-a", "-o", "name")

    assert done.out.splitlines() == ["default/debug", "default/job-29184", "default/web"]


def test_json_and_yaml_are_the_same(nsledger: Nsledger) -> None:
    as_json = nsledger("pods", "-o", "json").out
    as_yaml = nsledger("pods", "-o", "yaml").out

    assert yaml.safe_load(as_yaml) == json.loads(as_json)
    assert json.loads(as_json)[0]["pod"]["k8s_namespace"] == "default"


def test_at_a_moment_those_that_ran_then_are_listed(nsledger: Nsledger) -> None:
    done = nsledger("pods", "--at", "2026-11-24T00:04:18Z", "-o", "name")

    assert "default/job-29184" in done.out.splitlines()


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
def test_a_mismatch_among_them_ends_with_1(
    nsledger: Nsledger, odd_ledger: Path, output: str
) -> None:
    done = nsledger("pods", "--sharing", "host", "-o", output, "--ledger", str(odd_ledger))

    assert done.code == exit_codes.FOUND
    assert "odd" in done.out


def test_nothing_to_list_is_said_beside_the_output(nsledger: Nsledger) -> None:
    done = nsledger("pods", "-n", "nowhere")

    assert (done.code, done.out) == (0, "")
    assert done.err == "no such pod among the 4 on record\n"


def test_kubectls_long_flag_means_the_same(nsledger: Nsledger) -> None:
    asked = nsledger("pods", "--namespace", "default", "-o", "name")

    assert asked == nsledger("pods", "-n", "default", "-o", "name")
    assert asked.code == exit_codes.OK
    assert asked.out


def test_that_nothing_runs_is_not_said_as_if_a_pod_had_been_asked_for(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    node.stop_pod(node.run_pod("web"))

    done = nsledger("pods", "--ledger", str(node.write(tmp_path / "ledger")))

    assert (done.code, done.out) == (0, "")
    assert done.err == "nothing is running: 1 are on record, with --all\n"
