"""Whatever is typed, whatever lies in the ledger, whoever reads: a message, no traceback."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nsledger.cli.main import command, run
from tests import programs

CONTEXT = command.make_context("nsledger", ["log"])
NOT_RUN = {"serve", "snapshot", "install", "uninstall", "bypass", "doctor", "keygen", "accept"}
"""They change something, or look at this machine; their arguments are tried with --help."""
NAMES = [name for name in command.list_commands(CONTEXT) if name not in NOT_RUN]
GOES_ON = {"-f", "--follow", "-w", "--watch", "--output-file", "-o"}
FLAGS = sorted(
    {
        flag
        for name in NAMES
        if (found := command.get_command(CONTEXT, name))
        for option in found.params
        for flag in option.opts
        if flag.startswith("-") and flag not in GOES_ON
    }
)
WORDS = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(["web", "default/web", "net", "host", "4026532257", "10m", "@0", "1 hour ago"]),
    st.sampled_from(["-o", "json", "yaml", "wide", "name", "--", "-", "''", "\x1b[2J", "\udcff"]),
    st.text(max_size=12),
    st.integers(-(10**25), 10**25).map(str),
)
READ = [
    ["pods", "-a"],
    ["show", "default/web"],
    ["explain", "default/web"],
    ["findings"],
    ["whois", "4026532257"],
    ["log"],
    ["log", "-o", "jsonl"],
    ["verify"],
    ["status"],
    ["report", "-o", "mermaid"],
    ["sql", "SELECT * FROM pods"],
]


LOCALES = ["C", "POSIX", "tr_TR.UTF-8", "nonsense"]


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(NAMES), words=st.lists(WORDS, max_size=5))
def test_any_arguments_end_with_a_known_status(
    example_ledger: Path, name: str, words: list[str]
) -> None:
    words = [word for word in words if word not in GOES_ON or word == "-o"]
    with (
        contextlib.chdir(example_ledger.parent),
        pytest.MonkeyPatch.context() as patch,
        open(os.devnull, encoding="utf-8") as nothing,
        open(os.devnull, "w", encoding="utf-8", errors="backslashreplace") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        patch.setenv("NSLEDGER_LEDGER", str(example_ledger))
        patch.setattr("sys.stdin", nothing)
        code = run([name, *words])

    assert code in {0, 1, 2, 3, 141}


@pytest.mark.parametrize("seed", range(4))
def test_a_ledger_with_garbage_in_it_is_an_error_that_says_where(
    example_ledger: Path, tmp_path: Path, seed: int
) -> None:
    chosen = random.Random(seed)
    (segment,) = example_ledger.glob("*.jsonl")
    whole = bytearray(segment.read_bytes())
    for _ in range(1 + seed):
        at = chosen.randrange(len(whole))
        whole[at : at + chosen.randrange(60)] = chosen.randbytes(chosen.randrange(60))
    broken = tmp_path / "ledger"
    broken.mkdir()
    (broken / segment.name).write_bytes(bytes(whole))

    for words in READ:
        done = subprocess.run(
            [*programs.COMMAND, *words],
            env=programs.environment(broken),
            capture_output=True,
            timeout=60,
            check=False,
        )

        assert b"Traceback" not in done.stderr, (words, done.stderr.decode())
        assert done.returncode in {0, 1, 2, 3}, words


@pytest.mark.parametrize("words", READ, ids=" ".join)
def test_a_reader_who_has_had_enough_ends_it_quietly(
    example_ledger: Path, words: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [*programs.COMMAND, *words],
        env=programs.environment(example_ledger),
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("words", "locale"),
    list(zip(READ, itertools.cycle(["C", "POSIX", "tr_TR.UTF-8", "nonsense"]), strict=False)),
)
def test_odd_locales_and_40_columns_are_no_reason_to_fail(
    odd_ledger: Path, words: list[str], locale: str
) -> None:
    env = programs.environment(odd_ledger, LC_ALL=locale, LANG=locale, COLUMNS="40")

    done = subprocess.run(
        [*programs.COMMAND, *words], env=env, capture_output=True, timeout=60, check=False
    )

    assert b"Traceback" not in done.stderr
    assert done.returncode in {0, 1, 3}


@pytest.mark.parametrize("name", [*NAMES, *sorted(NOT_RUN)])
def test_help_is_there_at_40_columns(example_ledger: Path, name: str) -> None:
    code, shown = programs.run([name, "--help"], programs.environment(example_ledger), columns=40)

    assert code == 0
    assert "Usage: nsledger" in shown


@pytest.mark.root
@pytest.mark.parametrize("words", READ, ids=" ".join)
def test_without_the_right_to_read_it_says_so(
    example_ledger: Path, tmp_path: Path, words: list[str]
) -> None:
    hidden = tmp_path / "ledger"
    hidden.mkdir(mode=0o700)
    (segment,) = example_ledger.glob("*.jsonl")
    (hidden / segment.name).write_bytes(segment.read_bytes())

    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", *programs.COMMAND, *words],
        env=programs.environment(hidden, HOME="/nonexistent"),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert b"sudo" in done.stderr
