from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from nsledger.cli import exit_codes
from nsledger.render.explanation import Explanation
from tests.unit.cli.conftest import Nsledger


def test_a_pod_is_explained_type_by_type(nsledger: Nsledger) -> None:
    done = nsledger("explain", "debug")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("default/debug  running")
    assert (
        "pid     - shell and tracer see each other's processes: both joined "
        "/proc/18549/ns/pid, the sandbox's (pid:[4026532270]) because the pod asked for "
        "shareProcessNamespace (CRI pid=POD); records " in done.out
    )


def test_only_the_types_asked_for_are_explained_in_their_own_order(nsledger: Nsledger) -> None:
    done = nsledger("explain", "web", "user", "net", "-o", "json")

    assert [one["type"] for one in json.loads(done.out)["types"]] == ["net", "user"]


def test_only_what_is_about_a_container_is_said(nsledger: Nsledger, odd_ledger: Path) -> None:
    done = nsledger("explain", "odd", "-c", "debugger", "-o", "json", "--ledger", str(odd_ledger))

    explanation = msgspec.json.decode(done.out, type=Explanation, strict=True)
    for of_type in explanation.types:
        assert of_type.sentences
        assert all("debugger" in one.processes for one in of_type.sentences)
    assert done.code == 0


def test_a_container_that_is_not_there_is_wrong_usage(nsledger: Nsledger) -> None:
    done = nsledger("explain", "web", "-c", "nobody")

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert "no container 'nobody' in default/web" in done.err
    assert "\n  sidecar" in done.err


def test_json_and_yaml_are_the_explanation(nsledger: Nsledger) -> None:
    as_json = nsledger("explain", "web", "-o", "json").out
    as_yaml = nsledger("explain", "web", "-o", "yaml").out

    assert yaml.safe_load(as_yaml) == json.loads(as_json)


@pytest.mark.parametrize("output", ["text", "json", "yaml"])
def test_a_disagreement_ends_with_1(nsledger: Nsledger, odd_ledger: Path, output: str) -> None:
    done = nsledger("explain", "odd", "pid", "-o", output, "--ledger", str(odd_ledger))

    assert done.code == exit_codes.FOUND
    assert "the layers of strayed disagree" in done.out


def test_at_a_moment_a_pod_is_explained_as_it_was(nsledger: Nsledger) -> None:
    done = nsledger("explain", "job-29184", "net", "--at", "2026-11-24T00:04:18Z")

    assert "work and the sandbox share one network" in done.out
