"""The hook's command line; failing a container is the operator's choice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger_hook import hook
from tests.integration.hook_runs import (
    assert_survived,
    records_in,
    run_hook,
    state_of,
)


@pytest.mark.parametrize(
    "options",
    [
        ("--unknown", "1"),
        ("--stage",),
        ("--deadline-ms", "soon"),
        ("--deadline-ms", "0"),
        ("--failure-policy", "Fail"),
        ("stray",),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_never_fail_a_container(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    run = run_hook(state_of(os.getpid()), "--spool", tmp_path, *options)

    (record,) = records_in(tmp_path)
    assert_survived(run)
    assert record["errors"] == ["option_invalid"]
    assert set(record["namespaces"]) == set(hook.TYPES)


def test_failing_is_the_operators_choice(tmp_path: Path) -> None:
    policy = ("--failure-policy", "fail")

    good = run_hook(state_of(os.getpid()), "--spool", tmp_path, *policy)
    partial = run_hook(b"bad", "--spool", tmp_path, *policy)
    none = run_hook(state_of(os.getpid()), "--spool", tmp_path / "missing", *policy)

    assert (good.exit_code, partial.exit_code, none.exit_code) == (0, 1, 1)
