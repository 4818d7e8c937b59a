"""The launcher: compiled where that fits, from source where not, and a container in any case."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import subprocess
from pathlib import Path

import pytest

from nsledger_hook import hook

PYTHON = "/usr/bin/python3"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with the two files, and the compiled one beside them."""
    directory = tmp_path / "hook"
    directory.mkdir()
    (tmp_path / "spool").mkdir()
    for name in ("hook.py", "launch.py"):
        shutil.copy2(Path(hook.__file__).with_name(name), directory)
    subprocess.run([PYTHON, "-m", "py_compile", directory / "hook.py"], check=True, env={})
    return directory


def compiled(directory: Path) -> Path:
    """The compiled file."""
    (path,) = (directory / "__pycache__").iterdir()
    return path


def launch(directory: Path, *options: str) -> tuple[int, str, int]:
    """Run it; the exit code, stderr, and how many records there are."""
    spool = directory.parent / "spool"
    done = subprocess.run(
        [PYTHON, "-I", "-S", directory / "launch.py", "--spool", spool, *options],
        input=json.dumps({"id": "c", "pid": os.getpid()}).encode(),
        capture_output=True,
        check=False,
        timeout=30,
        env={},
    )
    return done.returncode, done.stderr.decode(), len(list(spool.iterdir()))


def test_it_runs_the_compiled_hook(installed: Path) -> None:
    # The compiled file that fits the source by size and time is believed, so it can tell on itself.
    source = installed / "hook.py"
    status = source.stat()
    text = source.read_text()
    source.write_text(text.replace("nsledger-hook: {what}", "NSLEDGER-HOOK: {what}"))
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))

    _, stderr, _ = launch(installed, "stray")

    assert stderr.startswith("nsledger-hook: recorded with errors")


def test_an_upgraded_interpreter_goes_on_from_source(installed: Path) -> None:
    path = compiled(installed)
    path.write_bytes(b"\x00\x00\r\n" + path.read_bytes()[4:])

    assert launch(installed) == (0, "", 1)


def test_a_bare_compiled_file_would_not_have(installed: Path) -> None:
    path = compiled(installed)
    path.write_bytes(b"\x00\x00\r\n" + path.read_bytes()[4:])

    done = subprocess.run([PYTHON, "-I", "-S", path], input=b"{}", capture_output=True, check=False)

    assert done.returncode == 1
    assert b"bad magic number" in done.stderr.lower()


def test_without_a_compiled_file_it_leaves_none(installed: Path) -> None:
    shutil.rmtree(installed / "__pycache__")

    assert launch(installed) == (0, "", 1)
    assert sorted(path.name for path in installed.iterdir()) == ["hook.py", "launch.py"]


@pytest.mark.parametrize("damage", ["def (", "import nsledger_lost", "", None])
def test_a_broken_installation_never_fails_a_container(installed: Path, damage: str | None) -> None:
    source = installed / "hook.py"
    source.unlink() if damage is None else source.write_text(damage)

    assert launch(installed) == (0, "nsledger-hook: no record: hook.py does not load\n", 0)
    assert launch(installed, "--failure-policy", "fail")[0] == 1


def test_the_two_files_compile_on_this_interpreter(installed: Path, tmp_path: Path) -> None:
    for name in ("hook.py", "launch.py"):
        py_compile.compile(str(installed / name), str(tmp_path / "out"), doraise=True)
