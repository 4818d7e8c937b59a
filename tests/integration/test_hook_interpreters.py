"""The hook on every interpreter that it supports, and what it may import there."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nsledger_hook import hook
from tests.conftest import SID_TREE
from tests.integration.hook_runs import (
    HOOK,
    PYTHON,
    links_in,
    links_of,
    records_in,
    run_hook,
    state_of,
)

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
"""Which of them a machine has is looked up on PATH, and where pyenv keeps them."""

OLDEST = VERSIONS[0]

Interpreter = tuple[str, ...]
"""The first words of a command line that runs Python."""

ALLOWED_IMPORTS = {"_json", "_signal", "errno", "fcntl", "gc", "posix", "time"}
"""Beside what an interpreter has loaded before the first line runs."""

STATE_ON_TWO_LINES = state_of(os.getpid()).replace(b", ", b",\n")


def of_version(version: str) -> Interpreter | None:
    """An interpreter of that version, if one runs: pyenv has names on PATH for more than do."""
    name = f"python{version}"
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    places = [shutil.which(name), *map(str, sorted(kept.glob(f"{version}.*/bin/{name}")))]
    for place in filter(None, places):
        asked = subprocess.run(
            [place, "-c", "import sys; print(sys.executable)"], capture_output=True, check=False
        )
        if asked.returncode == 0:
            return (asked.stdout.decode().strip(),)
    return None


def oldest() -> Interpreter:
    """The first version that is supported: a machine that lacks it says so."""
    found = of_version(OLDEST)
    if found is None:
        pytest.skip(f"no Python {OLDEST} on this machine")
    return found


def of_second_generation() -> Interpreter:
    """Debian sid's interpreter, by its own loader and libraries."""
    libraries = SID_TREE / "usr/lib/x86_64-linux-gnu"
    loader = SID_TREE / "lib64/ld-linux-x86-64.so.2"
    newest = max(SID_TREE.glob("usr/bin/python3.*"), default=Path("python3"))
    return str(loader), "--library-path", str(libraries), str(newest)


@pytest.fixture(
    params=[
        pytest.param(lambda: (PYTHON,), id="the machine's"),
        pytest.param(of_second_generation, id="sid's", marks=pytest.mark.containerd2),
        pytest.param(oldest, id=OLDEST),
        *(
            pytest.param(lambda found=found: found, id=version)
            for version in VERSIONS[1:]
            if (found := of_version(version))
        ),
    ]
)
def python(request: pytest.FixtureRequest) -> Interpreter:
    """An interpreter to run the hook with."""
    find: Callable[[], Interpreter] = request.param
    return find()


def test_the_hooks_files_are_python_of_the_oldest_version() -> None:
    major, minor = map(int, OLDEST.split("."))
    for name in ("hook.py", "launch.py"):
        source = HOOK.with_name(name).read_text()
        ast.parse(source, name, feature_version=(major, minor))


def test_every_interpreter_leaves_the_same_record(python: Interpreter, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "config.json").write_text('{"linux": {"namespaces": [{"type": "network"}]}}')
    spool = tmp_path / "spool"
    spool.mkdir()
    state = state_of(os.getpid(), bundle=str(bundle), id='quote " and é')

    run = run_hook(state, "--spool", spool, program=(*python, "-I", "-S", HOOK))

    assert (run.exit_code, run.stderr) == (0, "")
    (record,) = records_in(spool)
    assert record["container_id"] == 'quote " and é'
    assert links_in(record["namespaces"]) == links_of(os.getpid())
    assert record["assigned"] == dict.fromkeys(hook.TYPES, "inherited") | {"net": "new"}


@pytest.mark.parametrize("state", [b"", b"{", b'{"a', b"[" * 100_000, b'{"a": 1} x', b"\xff"])
def test_no_interpreter_fails_a_container_for_a_broken_state(
    python: Interpreter, state: bytes, tmp_path: Path
) -> None:
    run = run_hook(state, "--spool", tmp_path, program=(*python, "-I", "-S", HOOK))

    assert run.exit_code == 0
    (record,) = records_in(tmp_path)
    assert set(record["errors"]) <= {"state_not_utf8", "state_not_json"}


AT_EXIT_TELL_MODULES = """
import sys, posix
hook, leave = sys.argv.pop(1), posix._exit
def tell(code):
    posix.write(2, " ".join(sorted(sys.modules)).encode())
    leave(code)
posix._exit = tell
exec(compile(open(hook, "rb").read(), hook, "exec"), {"__name__": "__main__"})
"""


def test_the_hook_imports_nothing_beyond_its_budget(python: Interpreter, tmp_path: Path) -> None:
    bare = subprocess.run(
        [*python, "-I", "-S", "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        check=True,
    )
    program = (*python, "-I", "-S", "-c", AT_EXIT_TELL_MODULES, HOOK)

    run = run_hook(STATE_ON_TWO_LINES, "--spool", tmp_path, program=program)

    assert len(records_in(tmp_path)) == 1
    assert set(run.stderr.split()) - set(bare.stdout.decode().split()) <= ALLOWED_IMPORTS


WITHOUT_MODULES = """
import sys
hook, lacking = sys.argv.pop(1), sys.argv.pop(1).split(",")
import os, signal, json
for name in lacking:
    sys.modules[name] = None
exec(compile(open(hook, "rb").read(), hook, "exec"), {"__name__": "__main__"})
"""


@pytest.mark.parametrize("lacking", ["_json", "_signal", "posix", "fcntl", "_json,_signal,posix"])
def test_an_interpreter_without_a_private_module_does_the_same(
    python: Interpreter, lacking: str, tmp_path: Path
) -> None:
    program = (*python, "-I", "-S", "-c", WITHOUT_MODULES, HOOK, lacking)

    run = run_hook(state_of(os.getpid(), id="é"), "--spool", tmp_path, program=program)

    assert (run.exit_code, run.stderr) == (0, "")
    (record,) = records_in(tmp_path)
    assert record["container_id"] == "é"
    assert links_in(record["namespaces"]) == links_of(os.getpid())


def test_an_interpreter_without_any_json_takes_in_the_state_and_fails_no_container(
    python: Interpreter, tmp_path: Path
) -> None:
    words = [*python, "-I", "-S", "-c", WITHOUT_MODULES, str(HOOK), "_json,json"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stderr
        child.stdin.write(b"x" * (1 << 20))  # raises if the pipe is closed at the other end
        child.stdin.close()
        stderr = child.stderr.read()

    assert child.returncode == 0
    assert stderr == b"nsledger-hook: no record: ModuleNotFoundError\n"


def test_an_encoder_with_other_arguments_one_day_is_not_relied_on(tmp_path: Path) -> None:
    change = "import json, _json\ndef make_encoder(indent, sort): raise AssertionError\n"
    program = (
        *(PYTHON, "-I", "-S", "-c"),
        change + "_json.make_encoder = make_encoder\n" + WITHOUT_MODULES,
        *(HOOK, "nothing"),
    )

    run = run_hook(state_of(os.getpid()), "--spool", tmp_path, program=program)

    assert (run.exit_code, run.stderr) == (0, "")
    assert len(records_in(tmp_path)) == 1
