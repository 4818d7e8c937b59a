from __future__ import annotations

import json
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from tests.unit.cli.conftest import Done, Nsledger

AGENT = "kube-system/node-agent-*"
ALL_TYPES = ("net", "ipc", "uts", "pid")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "accept.d"


def accept(nsledger: Nsledger, directory: Path, *more: str, pod: str = AGENT) -> Done:
    words = ["accept", "host_namespace", "--pod", pod, "--directory", str(directory)]
    return nsledger(*words, "--reason", "an agent of the node", *more)


def findings(nsledger: Nsledger, directory: Path, *more: str) -> Done:
    return nsledger("findings", "--accept-directory", str(directory), *more)


def test_what_is_accepted_is_told_apart_and_makes_no_exit_status(
    nsledger: Nsledger, directory: Path
) -> None:
    before = findings(nsledger, directory)
    done = accept(nsledger, directory)
    after = findings(nsledger, directory)

    assert (before.code, done.code, after.code) == (exit_codes.FOUND, 0, exit_codes.OK)
    assert after.out.startswith("no findings\n\nAccepted (1)\n")
    assert "an agent of the node" in after.out


def test_json_has_all_findings_and_the_rule_that_covers_one(
    nsledger: Nsledger, directory: Path
) -> None:
    accept(nsledger, directory)

    (told,) = json.loads(findings(nsledger, directory, "-o", "json").out)

    assert told["kind"] == "host_namespace"
    assert told["accepted"]["reason"] == "an agent of the node"
    assert told["accepted"]["by"]
    assert told["accepted"]["accepted"] < told["accepted"]["until"]


def test_types_that_were_not_accepted_are_a_finding_again(
    nsledger: Nsledger, directory: Path
) -> None:
    accept(nsledger, directory, "--type", "net")
    assert findings(nsledger, directory).code == exit_codes.FOUND

    accept(nsledger, directory, *(word for one in ALL_TYPES for word in ("--type", one)))
    assert findings(nsledger, directory).code == exit_codes.OK


def test_another_pods_finding_stays(nsledger: Nsledger, directory: Path) -> None:
    accept(nsledger, directory, pod="kube-system/other")

    assert findings(nsledger, directory).code == exit_codes.FOUND


def test_it_ends_when_its_time_is_over(nsledger: Nsledger, directory: Path) -> None:
    accept(nsledger, directory)
    (file,) = directory.iterdir()
    lines = file.read_text().splitlines()
    file.write_text(
        "\n".join(
            'until = "2026-01-01T00:00:00Z"' if line.startswith("until") else line for line in lines
        )
    )

    assert findings(nsledger, directory).code == exit_codes.FOUND
    assert "OVER" in nsledger("accept", "--list", "--directory", str(directory)).out


def test_a_longer_time_replaces_a_shorter_one(nsledger: Nsledger, directory: Path) -> None:
    accept(nsledger, directory, "--until", "1d")
    accept(nsledger, directory, "--until", "30d")

    assert len(list(directory.iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[accept]", "needed"),
        ("x = 1", "unknown field"),
        ('[[accept]]\nkind="gap"\nuntil="2027-01-01T00:00:00Z"', "reason"),
        ('[[accept]]\nkind="gap"\nuntil="soon"\nreason="x"', "needed a time"),
        ('[[accept]]\nkind="nope"\nuntil="2027-01-01T00:00:00Z"\nreason="x"', "needed one of"),
        ('[[accept]]\nkind="gap"\nuntil="2027-01-01T00:00:00Z"\nreason=" "', "needed why"),
        ("\udcff\x00", ""),
    ],
)
def test_a_file_that_is_no_acceptance_hides_nothing_in_silence(
    nsledger: Nsledger, directory: Path, content: str, said: str
) -> None:
    directory.mkdir()
    (directory / "bad.toml").write_bytes(content.encode(errors="surrogateescape"))

    done = findings(nsledger, directory)

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "bad.toml" in done.err
    assert said in done.err or "Expected" in done.err


def test_a_file_that_others_may_write_is_refused(nsledger: Nsledger, directory: Path) -> None:
    accept(nsledger, directory)
    (file,) = directory.iterdir()
    file.chmod(0o620)

    done = findings(nsledger, directory)

    assert done.code == exit_codes.NO_ANSWER
    assert "others may write" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["host_namespace"],
        ["nope", "--reason", "x"],
        ["gap", "--reason", " "],
        ["gap", "--reason", "x", "--until", "2020-01-01"],
        ["gap", "--reason", "x", "--until", "soon"],
    ],
)
def test_what_cannot_be_accepted_is_said(
    nsledger: Nsledger, directory: Path, arguments: list[str]
) -> None:
    done = nsledger("accept", *arguments, "--directory", str(directory))

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert not directory.exists()


def test_findings_are_chosen_by_pod_and_k8s_namespace(nsledger: Nsledger, directory: Path) -> None:
    assert findings(nsledger, directory, "-n", "kube-*").code == exit_codes.FOUND
    assert findings(nsledger, directory, "-n", "default").code == exit_codes.OK
    assert findings(nsledger, directory, "--pod", "node-agent-x7k2p").code == exit_codes.FOUND
    assert findings(nsledger, directory, "--pod", "web").code == exit_codes.OK
