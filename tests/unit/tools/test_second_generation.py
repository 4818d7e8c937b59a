"""The sid tree is there whole or not at all, whatever becomes of its making."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tools/second-generation"
PROTO = "usr/share/gocode/src/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto"

pytestmark = pytest.mark.root

DEBOOTSTRAP = f"""
echo made >> "$CALLS"
for argument; do tree=$argument; done
mkdir -p "$tree/usr/bin" "$tree/$(dirname {PROTO})" "$tree/var/cache/apt/archives"
echo proto > "$tree/{PROTO}"
echo package > "$tree/var/cache/apt/archives/a.deb"
"""
"""Makes what the real one and dpkg-deb leave; the last argument is the tree."""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """debootstrap and chroot, played."""
    directory = tmp_path / "bin"
    directory.mkdir()
    play(directory, "debootstrap", DEBOOTSTRAP)
    play(directory, "chroot", 'echo "containerd is 2.1"')
    return directory


def play(directory: Path, program: str, script: str) -> None:
    (directory / program).write_text(f"#!/bin/sh\nset -eu\n{script}\n")
    (directory / program).chmod(0o755)


def start(programs: Path, tree: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [TOOL, tree],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(programs / "calls"),
        },
    )


def make(programs: Path, tree: Path) -> tuple[int, str]:
    with start(programs, tree) as process:
        printed, _ = process.communicate(timeout=30)
    return process.returncode, printed


def times_made(programs: Path) -> int:
    calls = programs / "calls"
    return len(calls.read_text().splitlines()) if calls.exists() else 0


def test_a_tree_is_made_once(programs: Path, tmp_path: Path) -> None:
    tree = tmp_path / "cache/sid"

    assert make(programs, tree)[0] == 0
    assert make(programs, tree) == (0, "")

    assert (tree / PROTO).exists()
    assert times_made(programs) == 1


def test_a_tree_is_kept_small(programs: Path, tmp_path: Path) -> None:
    make(programs, tmp_path / "sid")

    assert list((tmp_path / "sid/var/cache/apt").iterdir()) == []


@pytest.mark.parametrize("program", ["debootstrap", "chroot"])
def test_a_failed_step_leaves_no_tree_and_says_why(
    programs: Path, tmp_path: Path, program: str
) -> None:
    script = (programs / program).read_text()
    play(programs, program, f"{script}\necho no space >&2; exit 1")

    code, printed = make(programs, tmp_path / "sid")

    assert code == 1
    assert "no space" in printed
    assert not (tmp_path / "sid").exists()
    assert not (tmp_path / "sid.partial").exists()


def test_a_tree_without_upstreams_proto_does_not_count(programs: Path, tmp_path: Path) -> None:
    play(programs, "debootstrap", 'for argument; do mkdir -p "$argument/usr"; done')

    assert make(programs, tmp_path / "sid")[0] != 0
    assert not (tmp_path / "sid").exists()


def test_a_build_that_was_killed_does_not_count_and_the_next_one_does(
    programs: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "sid"
    play(programs, "debootstrap", DEBOOTSTRAP + "exec sleep 60")
    with start(programs, tree) as process:
        while not (tmp_path / "sid.partial/var/cache/apt/archives/a.deb").exists():
            assert process.poll() is None
            time.sleep(0.02)
        # As when the machine loses its power: nobody gets to clean up.
        for pid in descendants(process.pid):
            os.kill(pid, signal.SIGKILL)
    assert not tree.exists()
    assert (tmp_path / "sid.partial").exists()

    play(programs, "debootstrap", DEBOOTSTRAP)

    assert make(programs, tree)[0] == 0
    assert (tree / PROTO).exists()
    assert not (tmp_path / "sid.partial").exists()


def descendants(pid: int) -> list[int]:
    """Process `pid` and those below it, parents first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in descendants(int(child)))]


def test_a_tree_of_an_older_recipe_is_made_again(programs: Path, tmp_path: Path) -> None:
    tree = tmp_path / "sid"
    make(programs, tree)
    (tree / ".nsledger-second-generation").write_text("fewer packages\n")

    assert make(programs, tree)[0] == 0
    assert times_made(programs) == 2


def test_a_directory_that_it_did_not_make_is_left_alone(programs: Path, tmp_path: Path) -> None:
    tree = tmp_path / "home"
    tree.mkdir()
    (tree / "thesis.tex").write_text("years of work")

    code, printed = make(programs, tree)

    assert code == 2
    assert "was not made by this tool" in printed
    assert (tree / "thesis.tex").exists()
    assert times_made(programs) == 0


def test_two_builders_make_one_tree(programs: Path, tmp_path: Path) -> None:
    play(programs, "debootstrap", f"sleep 0.3\n{DEBOOTSTRAP}")
    tree = tmp_path / "sid"

    with start(programs, tree) as one, start(programs, tree) as other:
        one.communicate(timeout=30)
        other.communicate(timeout=30)

    assert (one.returncode, other.returncode) == (0, 0)
    assert times_made(programs) == 1
