from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from nsledger.cli import exit_codes
from nsledger.state.findings import Finding, Kind
from tests.synthetic_node import SyntheticNode
from tests.unit.cli.conftest import Nsledger


def kinds(out: str) -> set[str]:
    return {one.kind for one in msgspec.json.decode(out, type=list[Finding], strict=True)}


def test_findings_are_told_with_remedies_and_end_with_1(
    nsledger: Nsledger, odd_ledger: Path
) -> None:
    done = nsledger("findings", "--ledger", str(odd_ledger))

    assert (done.code, done.err) == (exit_codes.FOUND, "")
    assert done.out.startswith("high    mismatch.requested_actual  default/odd")
    assert "What to do" in done.out


def test_none_ends_with_0(nsledger: Nsledger, tmp_path: Path) -> None:
    node = SyntheticNode()
    node.start_daemon()
    ledger = node.write(tmp_path / "ledger")

    done = nsledger("findings", "--ledger", str(ledger))

    assert (done.code, done.out) == (0, "no findings\n")
    assert nsledger("findings", "--ledger", str(ledger), "-o", "json").out == "[]\n"


@pytest.mark.parametrize(
    ("fail_on", "code"), [("high", 0), ("medium", 1), ("info", 1), ("never", 0)]
)
def test_how_bad_it_has_to_be_for_status_1_can_be_chosen(
    nsledger: Nsledger, fail_on: str, code: int
) -> None:
    done = nsledger("findings", "--fail-on", fail_on)

    assert done.code == code
    assert "host_namespace" in done.out


def test_they_are_selected_by_severity_and_kind(nsledger: Nsledger, odd_ledger: Path) -> None:
    ledger = ["--ledger", str(odd_ledger), "-o", "json"]

    worst = nsledger("findings", "--severity", "high", *ledger).out
    some = nsledger("findings", "--kind", "host_*", "--kind", "gap", *ledger).out

    assert kinds(worst) == {"mismatch.requested_actual", "mismatch.assigned_actual"}
    assert kinds(some) == {"host_namespace", "gap"}


def test_they_are_selected_by_when_they_were_so(nsledger: Nsledger, odd_ledger: Path) -> None:
    ledger = ["--ledger", str(odd_ledger), "-o", "json"]

    early = nsledger("findings", "--until", "2026-11-24T00:04:00Z", *ledger).out
    late = nsledger("findings", "--since", "2026-11-24T00:05:30Z", *ledger).out

    assert kinds(early) == {"host_namespace"}
    assert "gap" not in kinds(late)
    assert "host_namespace" in kinds(late), "it is still so"


def test_json_and_yaml_are_the_same(nsledger: Nsledger, odd_ledger: Path) -> None:
    as_json = nsledger("findings", "-o", "json", "--ledger", str(odd_ledger)).out
    as_yaml = nsledger("findings", "-o", "yaml", "--ledger", str(odd_ledger)).out

    assert yaml.safe_load(as_yaml) == json.loads(as_json)


def test_a_misspelt_kind_is_not_a_node_on_which_all_is_well(nsledger: Nsledger) -> None:
    done = nsledger("findings", "--kind", "mismatches")

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert "\n  mismatch.requested_actual" in done.err


def test_the_help_names_every_kind(nsledger: Nsledger) -> None:
    out = nsledger("findings", "--help").out

    assert all(f"  {kind} " in out for kind in Kind)
