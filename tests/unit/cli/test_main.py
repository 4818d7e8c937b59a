from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.main import command, run
from tests import programs
from tests.unit.cli.conftest import Nsledger

COMMANDS = list(command.list_commands(command.make_context("nsledger", ["log"])))
HEAVY = {"cryptography", "grpc", "google", "msgspec", "rich", "structlog", "yaml"}
HEAVY |= {"asyncio", "hpack", "ssl"}


def modules_after(code: str) -> set[str]:
    """What a new interpreter has imported by the end of `code`."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(programs.SHIM)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_who_interrupts_twice_gets_no_traceback() -> None:
    script = """
import atexit, os, signal, sys
from nsledger.cli import main
def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
atexit.register(interrupt)
main._invoke = interrupt
sys.exit(main.run([]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(programs.SHIM)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (exit_codes.INTERRUPTED, "")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["install", "--help"]],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    imported = modules_after(f"from nsledger.cli.main import run; run({arguments!r})")

    packages = {name.partition(".")[0] for name in imported}
    assert not packages & HEAVY
    assert not any(name.startswith("nsledger.ledger") for name in imported)


@pytest.mark.parametrize(
    "name", ["log", "show", "explain", "pods", "findings", "report", "whois", "verify"]
)
def test_a_command_that_reads_imports_no_daemon(name: str) -> None:
    arguments = {"show": ["show", "x"], "explain": ["explain", "x"], "whois": ["whois", "1"]}.get(
        name, [name]
    )
    code = f"from nsledger.cli.main import run; run({[*arguments, '--ledger', '/nowhere']!r})"

    packages = {module.partition(".")[0] for module in modules_after(code)}

    assert not packages & {"rich", "grpc", "google", "structlog", "yaml", "hpack", "asyncio", "ssl"}


@pytest.mark.parametrize(
    ("arguments", "most"),
    # Counted when written: 80 and 183 beside what the interpreter has.
    [(["--help"], 90), (["whois", "net:[4026532257]"], 200)],
)
def test_a_command_imports_few_modules(
    arguments: list[str], most: int, example_ledger: Path
) -> None:
    if arguments != ["--help"]:
        arguments = [*arguments, "--ledger", str(example_ledger)]
    before = modules_after("")

    imported = modules_after(f"from nsledger.cli.main import run; run({arguments!r})") - before

    assert len(imported) <= most, sorted(imported)


def test_the_group_lists_every_command_with_its_purpose(nsledger: Nsledger) -> None:
    done = nsledger("--help")

    assert done.code == 0
    read = {"show", "explain", "pods", "findings", "whois", "log", "verify"}
    assert set(COMMANDS) >= read | {"keygen", "serve"}
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", done.out, re.MULTILINE)


def test_the_version_is_the_distributions(nsledger: Nsledger) -> None:
    done = nsledger("--version")

    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"nsledger \d+\.\d+\.\d+\S*\n", done.out)


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["log", "--nothing"], ["log", "--since", "soon"], ["log", "-o", "xml"], ["show"]],
)
def test_wrong_usage_is_told_on_standard_error_and_ends_with_2(
    nsledger: Nsledger, arguments: list[str]
) -> None:
    done = nsledger(*arguments)

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert "Usage: nsledger" in done.err


@pytest.mark.parametrize(
    "arguments", [["log"], ["verify"], ["show", "web"], ["whois", "net:[4026532257]"]]
)
def test_a_missing_ledger_ends_with_3_and_says_what_to_do(
    nsledger: Nsledger, arguments: list[str], tmp_path: Path
) -> None:
    done = nsledger(*arguments, "--ledger", str(tmp_path / "nowhere"))

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    message, hint = done.err.splitlines()
    assert message == f"nsledger: {tmp_path}/nowhere: No such file or directory"
    assert hint.startswith("hint: ")
    assert "--ledger PATH" in hint


def test_a_directory_without_a_ledger_ends_with_3(nsledger: Nsledger, tmp_path: Path) -> None:
    done = nsledger("log", "--ledger", str(tmp_path))

    assert done.code == exit_codes.NO_ANSWER
    assert "found a directory without segments, needed a ledger" in done.err


def test_the_program_runs_as_a_module_and_as_a_function() -> None:
    done = subprocess.run(
        [*programs.COMMAND, "--version"],
        env={"PYTHONPATH": str(programs.SHIM)},
        capture_output=True,
        check=False,
    )

    assert done.returncode == run(["--version"]) == 0


@pytest.mark.parametrize("arguments", ["log", "log -o jsonl", "log -o yaml", "--help"])
def test_a_reader_that_has_enough_is_no_error(example_ledger: Path, arguments: str) -> None:
    env = programs.environment(example_ledger)
    program = " ".join(programs.COMMAND)
    many = " ".join(f"; {program} {arguments}" for _ in range(3))

    done = subprocess.run(
        ["bash", "-c", f"({program} {arguments}{many}; echo $? >&2) | head -n 1"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stderr == f"{exit_codes.PIPE_CLOSED}\n"


def test_a_full_disk_behind_standard_output_is_told() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(programs.COMMAND)} --help > /dev/full"],
        env={"PYTHONPATH": str(programs.SHIM), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == exit_codes.NO_ANSWER
    assert done.stderr == "nsledger: No space left on device\n"


def test_no_standard_output_at_all_is_no_reason_to_crash(example_ledger: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(programs.COMMAND)} verify >&-"],
        env=programs.environment(example_ledger),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_encoding_without_our_signs_gets_signs_that_it_has(odd_ledger: Path) -> None:
    env = programs.environment(odd_ledger, PYTHONIOENCODING="ascii")

    code, out = programs.run(["show", "odd"], env)

    assert code == exit_codes.FOUND
    assert "# ! host" in out
