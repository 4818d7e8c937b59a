from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nsledger.auditor import snapshot
from nsledger.cli import exit_codes
from nsledger.proc import other_root
from tests.unit.cli.conftest import Nsledger


def test_without_a_runtime_it_says_where_it_looked(
    nsledger: Nsledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(snapshot.find_runtime, "__defaults__", ("/", (str(tmp_path / "no.sock"),)))

    done = nsledger("snapshot")

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "no.sock" in done.err
    assert "--runtime" in done.err


def test_a_socket_on_which_nobody_answers_is_named(nsledger: Nsledger, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

    done = nsledger("snapshot", "--runtime", f"unix://{path}")

    assert done.code == exit_codes.NO_ANSWER
    assert f"{path}: Version: the runtime answered UNAVAILABLE" in done.err


@pytest.mark.parametrize(
    "arguments",
    [("wat",), ("serve",), ("-f", "x.html", "pods"), ("--runtime", "/nowhere/at.all")],
)
def test_what_cannot_be_asked_is_said(nsledger: Nsledger, arguments: tuple[str, ...]) -> None:
    done = nsledger("snapshot", *arguments)

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert "needed" in done.err


def test_a_ledger_that_is_there_is_not_written_into(
    nsledger: Nsledger, example_ledger: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in example_ledger.iterdir()}

    done = nsledger("snapshot", "--ledger", str(example_ledger))

    assert done.code == exit_codes.USAGE
    assert {path: path.stat().st_mtime_ns for path in example_ledger.iterdir()} == before


def test_a_directory_that_is_no_nodes_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(other_root.NotANodeError, match="needed the node's root"):
        other_root.look_from(str(tmp_path))


def test_the_node_at_another_root_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()

    assert other_root.node_name(str(tmp_path)) == ""
    (tmp_path / "etc/hostname").write_text("Worker-7\n")
    assert other_root.node_name(str(tmp_path)) == "worker-7"
