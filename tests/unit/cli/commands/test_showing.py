from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from nsledger.cli import exit_codes
from nsledger.state.matrix import Matrix
from tests import ledgers
from tests.synthetic_node import SyntheticNode
from tests.unit.cli.conftest import Nsledger


def test_a_pod_is_shown_by_name(nsledger: Nsledger) -> None:
    done = nsledger("show", "web")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("default/web  running")
    assert "A pod" in done.out


def test_wide_has_the_three_layers(nsledger: Nsledger) -> None:
    done = nsledger("show", "default/web", "-o", "wide")

    assert "REQUESTED  ASSIGNED" in done.out
    assert "/proc/18477/ns/net" in done.out


def test_json_and_yaml_are_the_matrix(nsledger: Nsledger) -> None:
    as_json = nsledger("show", "web", "-o", "json").out
    as_yaml = nsledger("show", "web", "-o", "yaml").out

    matrix = msgspec.json.decode(as_json, type=Matrix, strict=True)

    assert [process.name for process in matrix.processes] == ["sandbox", "app", "sidecar"]
    assert yaml.safe_load(as_yaml) == json.loads(as_json)


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml"])
def test_a_mismatch_ends_with_1_in_every_form(
    nsledger: Nsledger, odd_ledger: Path, output: str
) -> None:
    done = nsledger("show", "odd", "-o", output, "--ledger", str(odd_ledger))

    assert done.code == exit_codes.FOUND
    assert "requested CONTAINER, got host" in done.out


def test_earlier_attempts_are_shown_if_wanted(nsledger: Nsledger, odd_ledger: Path) -> None:
    ledger = ["--ledger", str(odd_ledger)]

    newest = nsledger("show", "odd", *ledger).out
    every = nsledger("show", "odd", "--all", *ledger).out

    assert "\nunhooked #1 " in newest
    assert "\nunhooked  " not in newest
    assert "\nunhooked #1 " in every
    assert "\nunhooked  " in every


def test_an_unknown_pod_ends_with_3_and_says_what_is_close(nsledger: Nsledger) -> None:
    done = nsledger("show", "default/wbe")

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "no pod 'default/wbe' among the 4 on record; there is 'default/web'" in done.err


def test_an_ambiguous_name_ends_with_2_and_lists_the_pods(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.run_pod("web")
    node.run_pod("web", k8s_namespace="evil\x1b[2J\nnsledger: all is well")
    ledger = node.write(tmp_path / "ledger")

    done = nsledger("show", "web", "--ledger", str(ledger))

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    message, *pods = done.err.splitlines()
    assert message == "nsledger: 'web' fits 2 pods, needed one"
    assert len(pods) == 2
    assert pods[0].startswith("  default/web  5a")
    assert pods[1].startswith(r"  evil\x1b[2J\nnsledger: all is well/web")


def test_in_an_empty_ledger_no_pod_is_known(nsledger: Nsledger, tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])

    done = nsledger("show", "web", "--ledger", str(tmp_path))

    assert done.code == exit_codes.NO_ANSWER
    assert "among the 0 on record" in done.err


def test_the_beginning_of_one_name_is_enough(nsledger: Nsledger) -> None:
    assert nsledger("show", "node-ag") == nsledger("show", "kube-system/node-agent-x7k2p")
    assert nsledger("show", "kube-system/no").code == 0
    several = nsledger("show", "default/")
    assert (several.code, several.out) == (2, "")
    assert "default/web" in several.err
