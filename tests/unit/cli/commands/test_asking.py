from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from nsledger.cli import exit_codes
from nsledger.query.whois import Answer, Outcome
from tests import ledgers
from tests.unit.cli.conftest import Nsledger

WEB = "net:[4026532257]"


def test_an_owner_is_named_with_evidence(nsledger: Nsledger) -> None:
    done = nsledger("whois", WEB, "--utc")

    assert (done.code, done.err) == (0, "")
    first, _, titles, *rows = done.out.splitlines()
    assert first == f"{WEB}: default/web"
    assert titles.split() == ["OWNER", "PID", "SINCE", "(UTC)", "UNTIL", "RECORDS"]
    assert rows[1].split()[-1] == "7,8"


@pytest.mark.parametrize("x", ["4026532257", "net:4026532257", "/proc/18477/ns/net", "id:4303"])
def test_the_same_namespace_is_found_by_every_name(nsledger: Nsledger, x: str) -> None:
    found = json.loads(nsledger("whois", x, "-o", "json").out)["intervals"]

    assert {one["identity"]["ino"] for one in found} == {4026532257}


@pytest.mark.parametrize(
    "x", ["10.88.0.2", "veth00000001", "dev:veth00000001", "/run/netns/cni-00000001"]
)
def test_a_pods_network_is_found_by_what_only_a_record_tells(nsledger: Nsledger, x: str) -> None:
    found = json.loads(nsledger("whois", x, "-o", "json").out)

    assert found["outcome"] == "one_pod"
    assert {one["owner"]["pod"]["name"] for one in found["intervals"]} == {"web"}
    assert {one["identity"]["ino"] for one in found["intervals"]} == {4026532257}


@pytest.mark.parametrize("link", ["net", "pid_for_children"])
@pytest.mark.parametrize("extra", [[], ["--no-index"], ["--at", "2026-11-24T00:04:00Z"]])
def test_a_namespace_of_this_node_is_nobodys_in_the_ledger_of_another(
    nsledger: Nsledger, link: str, extra: list[str]
) -> None:
    # The kernel numbers the host's namespaces alike on every node and at every boot.
    done = nsledger("whois", f"/proc/self/ns/{link}", *extra, "-o", "json")

    assert done.code == exit_codes.NO_ANSWER
    assert json.loads(done.out)["intervals"] == []


@pytest.mark.parametrize("command", [["whois", WEB], ["log"], ["findings"]])
def test_a_span_of_time_that_is_none_is_wrong_usage(nsledger: Nsledger, command: list[str]) -> None:
    done = nsledger(*command, "--since", "2026-11-25", "--until", "2026-11-24")

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert "--since must be before --until" in done.err


def test_json_and_yaml_are_the_answer(nsledger: Nsledger) -> None:
    as_json = nsledger("whois", WEB, "-o", "json").out
    as_yaml = nsledger("whois", WEB, "-o", "yaml").out

    answer = msgspec.json.decode(as_json, type=Answer)

    assert answer.outcome is Outcome.ONE_POD
    assert len(answer.intervals) == 3
    assert yaml.safe_load(as_yaml) == json.loads(as_json)


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_unknown_ends_with_3_in_every_form(nsledger: Nsledger, output: str) -> None:
    done = nsledger("whois", "net:[4026539999]", "-o", output)

    assert (done.code, done.err) == (exit_codes.NO_ANSWER, "")
    assert "no record" in done.out


def test_a_moment_may_be_asked_for(nsledger: Nsledger) -> None:
    during = nsledger("whois", WEB, "--at", "2026-11-24T00:04:00Z")
    before = nsledger("whois", WEB, "--at", "2026-11-23T00:04:00Z")

    assert (during.code, before.code) == (0, exit_codes.NO_ANSWER)
    assert "the ledger begins at" in before.out


def test_what_asks_for_nothing_ends_with_2_and_says_what_would_do(nsledger: Nsledger) -> None:
    done = nsledger("whois", "web\x1b[2J")

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    message, hint = done.err.splitlines()
    assert message == r"nsledger: found 'web\x1b[2J', needed a namespace or a process"
    assert "net:[4026532254]" in hint


def test_an_empty_ledger_answers_unknown(nsledger: Nsledger, tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])

    done = nsledger("whois", WEB, "--ledger", str(tmp_path))

    assert (done.code, done.out) == (
        exit_codes.NO_ANSWER,
        f"{WEB}: unknown: the ledger is empty\n",
    )
