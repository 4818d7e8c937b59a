"""Every command that answers from a ledger says so where the ledger is not what was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.cli import reading as module
from nsledger.index import lock
from nsledger.index.opening import NAME
from tests import ledgers
from tests.synthetic_node import example_node
from tests.unit.cli.conftest import Nsledger

COMMANDS = {
    "show": ["show", "web"],
    "explain": ["explain", "web"],
    "pods": ["pods"],
    "pods -a": ["pods", "-a"],
    "pods --at": ["pods", "--at", "2026-11-24T00:04:18Z"],
    "findings": ["findings"],
    "report": ["report", "-o", "mermaid", "-f", "-"],
    "report POD": ["report", "web", "-o", "mermaid", "-f", "-"],
    "whois": ["whois", "net:[4026532257]"],
    "whois --no-index": ["whois", "net:[4026532257]", "--no-index"],
    "log": ["log"],
    "log --pod": ["log", "--pod", "web"],
    "log --since": ["log", "--since", "2026-11-24T00:00:00Z"],
    "log -r": ["log", "-r"],
    "status": ["status"],
    "sql": ["sql", "SELECT count(*) FROM pods"],
    "reindex": ["reindex"],
    "tree": ["tree"],
    "orphans": ["orphans"],
}


def forge_a_name(lines: list[bytes]) -> list[bytes]:
    at = next(at for at, line in enumerate(lines) if at > 5 and b'"name":"' in line)
    return [*lines[:at], lines[at].replace(b'"name":"', b'"name":"x', 1), *lines[at + 1 :]]


def take_some_out(lines: list[bytes]) -> list[bytes]:
    return [*lines[:20], *lines[25:]]


def garble(lines: list[bytes]) -> list[bytes]:
    return [*lines[:12], b"\x00\xff{garbage\n", *lines[13:]]


def garble_the_first(lines: list[bytes]) -> list[bytes]:
    return [b"garbage\n", *lines[1:]]


def garble_the_last(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], b"[]\n"]


ALTERATIONS = [forge_a_name, take_some_out, garble, garble_the_first, garble_the_last]


@pytest.mark.parametrize("alter", ALTERATIONS)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_an_answer_from_an_altered_ledger_says_so(
    nsledger: Nsledger,
    tmp_path: Path,
    alter: Callable[[list[bytes]], list[bytes]],
    command: list[str],
) -> None:
    directory = example_node().write(tmp_path / "ledger")
    ledgers.replace(directory, alter(ledgers.lines(directory)))

    done = nsledger(*command, "--ledger", str(directory))

    assert "the ledger is damaged: entr" in done.err
    assert "Traceback" not in done.err
    assert done.code == exit_codes.FOUND


@pytest.mark.parametrize("alter", [forge_a_name, take_some_out, garble])
@pytest.mark.parametrize(
    "command",
    [["show", "web"], ["pods", "-a"], ["log"], ["report", "web", "-o", "mermaid", "-f", "-"]],
)
def test_what_is_read_by_an_index_is_checked(
    nsledger: Nsledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alter: Callable[[list[bytes]], list[bytes]],
    command: list[str],
) -> None:
    directory = example_node().write(tmp_path / "ledger")
    with lock.locked(str(directory)) as path:
        lock.rebuild(path, str(directory))
    monkeypatch.setattr(module, "_WALKED_BYTES", 0)
    ledgers.replace(directory, alter(ledgers.lines(directory)))

    done = nsledger(*command, "--ledger", str(directory))

    assert "the ledger is damaged: entr" in done.err
    assert done.code == exit_codes.FOUND


@pytest.mark.parametrize(
    # What the live node looks like may change between two answers.
    "command",
    [one for one in COMMANDS.values() if one[0] not in {"tree", "orphans", "reindex", "status"}],
)
def test_an_answer_is_the_same_whatever_somebody_did_to_the_index(
    nsledger: Nsledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(module, "_WALKED_BYTES", 0)
    directory = example_node().write(tmp_path / "ledger")
    truth = nsledger(*command, "--ledger", str(directory))
    with lock.locked(str(directory)) as path:
        lock.rebuild(path, str(directory))
    indexed = nsledger(*command, "--ledger", str(directory))
    with closing(sqlite3.connect(directory / NAME)) as database, database:
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (name,) in names:
            if name != "meta":
                database.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of the schema's

    altered = nsledger(*command, "--ledger", str(directory))

    assert (indexed.code, indexed.out) == (truth.code, truth.out)
    assert (altered.code, altered.out) == (truth.code, truth.out)
