"""What help promises: every example in it is run here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from nsledger.cli import exit_codes
from nsledger.cli.main import command
from tests import checkpoints, programs
from tests.unit.cli.conftest import Nsledger

FOLLOWS = re.compile(r"nsledger log .*(-f|--follow)\b")
CONTEXT = command.make_context("nsledger", ["log"])
# What `serve` does is shown where there is something to serve. The commands that change a node are
# never run here: their examples would change this one. What doctor finds on it is its own matter.
CHANGERS = ("doctor", "install", "uninstall", "bypass")
# A snapshot needs a runtime: tests/node/test_snapshot.py has one.
NOT_TRIED = ("serve", "snapshot", *CHANGERS)
TRIED = [name for name in command.list_commands(CONTEXT) if name not in NOT_TRIED]
NOT_READERS = {
    *("keygen", "reindex", "schema", "join", "sql", "completion", "report"),
    *("accept", "version", "help"),
}
READERS = [name for name in TRIED if name not in NOT_READERS]


def examples() -> Iterator[str]:
    """Every line under `Examples:` in the help of the group and of its commands."""
    commands: list[click.Command | None] = [
        command,
        *(command.get_command(CONTEXT, name) for name in TRIED),
    ]
    for one in commands:
        assert one is not None
        section = re.search(r"Examples:\n((?:  .+\n)+)", one.epilog or "")
        assert section is not None, f"{one.name} has no examples"
        lines = map(str.strip, section[1].splitlines())
        yield from (line for line in lines if line != "nsledger snapshot")


@pytest.mark.parametrize("example", list(dict.fromkeys(examples())))
def test_every_example_does_what_it_says(
    example: str, example_ledger: Path, tmp_path: Path
) -> None:
    env = programs.environment(example_ledger)
    env["PATH"] = f"{programs.install(tmp_path / 'bin')}:{env['PATH']}"
    checkpoints.sign_end(example_ledger, tmp_path / "checkpoints", tmp_path / "checkpoint.key")
    # What follows goes on until it is interrupted.
    line = f"timeout --signal=INT 5 {example}" if FOLLOWS.match(example) else example

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == (124 if FOLLOWS.match(example) else 0), done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("name", TRIED)
def test_every_help_tells_the_exit_status(nsledger: Nsledger, name: str) -> None:
    out = nsledger(name, "--help").out

    for number in (
        exit_codes.OK,
        exit_codes.FOUND,
        exit_codes.USAGE,
        exit_codes.NO_ANSWER,
    ):
        assert re.search(rf"^ +{number}  \w", out, re.MULTILINE)


@pytest.mark.parametrize("name", READERS)
def test_every_reader_takes_the_same_options_for_the_same_things(name: str) -> None:
    one = command.get_command(CONTEXT, name)
    assert one is not None
    by_name = {option.name: option for option in one.params}

    assert {"ledger", "color", "output"} <= by_name.keys()
    assert by_name["ledger"].envvar == "NSLEDGER_LEDGER"
    assert "-o" in by_name["output"].opts


@pytest.mark.parametrize("name", CHANGERS)
def test_a_command_that_changes_a_node_has_examples_and_tells_its_exit_status(
    nsledger: Nsledger, name: str
) -> None:
    out = nsledger(name, "--help").out

    assert f"  nsledger {name}\n" in out
    last = exit_codes.FOUND if name == "doctor" else exit_codes.NO_ANSWER
    for number in (exit_codes.OK, exit_codes.USAGE, last):
        assert re.search(rf"^ +{number}  \w", out, re.MULTILINE)


@pytest.mark.parametrize("name", [*TRIED, "snapshot", *CHANGERS])
def test_help_fits_a_terminal_of_80_columns(nsledger: Nsledger, name: str) -> None:
    assert max(map(len, nsledger(name, "--help").out.splitlines())) <= 80


def test_the_ledger_is_where_serve_writes_it() -> None:
    serve = command.get_command(CONTEXT, "serve")
    log = command.get_command(CONTEXT, "log")
    assert serve is not None
    assert log is not None

    defaults = [
        option.default for one in (serve, log) for option in one.params if option.name == "ledger"
    ]

    assert len(set(defaults)) == 1
