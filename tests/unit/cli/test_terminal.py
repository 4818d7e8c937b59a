from __future__ import annotations

from pathlib import Path

import pytest

from tests import programs

ESC = "\x1b["


@pytest.mark.parametrize(
    ("variables", "arguments", "colored"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": ""}, [], True),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"TERM": "dumb"}, [], False),
        ({}, ["--color", "never"], False),
    ],
)
def test_a_terminal_gets_colour_unless_somebody_does_not_want_it(
    example_ledger: Path, variables: dict[str, str], arguments: list[str], *, colored: bool
) -> None:
    env = programs.environment(example_ledger, **variables)

    _, out = programs.run(["show", "web", *arguments], env, columns=120)

    assert (ESC in out) == colored


def test_a_pipe_gets_colour_only_if_it_is_asked_for(example_ledger: Path) -> None:
    env = programs.environment(example_ledger)

    assert ESC not in programs.run(["log"], env)[1]
    assert ESC in programs.run(["log", "--color", "always"], env)[1]


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal(example_ledger: Path, columns: int) -> None:
    env = programs.environment(example_ledger, NO_COLOR="1")

    for arguments in (["log"], ["show", "node-agent-x7k2p"], ["whois", "4026531840"]):
        _, out = programs.run(arguments, env, columns=columns)

        assert max(map(len, out.splitlines())) <= columns


def test_columns_sets_the_width_of_a_pipe_too(example_ledger: Path) -> None:
    env = programs.environment(example_ledger, COLUMNS="70")

    _, out = programs.run(["log"], env)

    assert max(map(len, out.splitlines())) == 70


def test_times_are_local_unless_utc_is_wanted(example_ledger: Path) -> None:
    env = programs.environment(example_ledger, TZ="XYZ-5:30")

    _, local = programs.run(["log", "-n", "1"], env)
    _, utc = programs.run(["log", "-n", "1", "--utc"], env)

    assert "TIME (XYZ)" in local
    assert "2026-11-24 05:34:20.598" in local
    assert "2026-11-24 00:04:20.598" in utc
