"""The machine of tests/vm is there whole or not at all, whatever becomes of its making."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "tools/virtual-node"
MADE = {"disk.img", "vmlinuz", "initrd.img", ".nsledger-virtual-node"}

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the machine is an amd64 one"),
]

DEBOOTSTRAP = """
echo made >> "$CALLS"
for argument; do tree=$argument; done
mkdir -p "$tree/boot" "$tree/etc/initramfs-tools/conf.d"
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
echo kernel > "$tree/boot/vmlinuz-6.12"
echo initrd > "$tree/boot/initrd.img-6.12"
"""
"""Makes what the real one leaves; the last argument is the tree."""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What the tool calls, played."""
    directory = tmp_path / "bin"
    directory.mkdir()
    play(directory, "debootstrap", DEBOOTSTRAP)
    play(directory, "chroot", 'echo "containerd is 1.7"')
    play(
        directory, "mke2fs", 'for argument; do disk=$before before=$argument; done; echo > "$disk"'
    )
    return directory


def play(directory: Path, program: str, script: str) -> None:
    (directory / program).write_text(f"#!/bin/sh\nset -e\n{script}\n")
    (directory / program).chmod(0o755)


def start(programs: Path, machine: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [TOOL, machine],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(programs / "calls")},
    )


def make(programs: Path, machine: Path) -> tuple[int, str]:
    with start(programs, machine) as process:
        printed, _ = process.communicate(timeout=30)
    return process.returncode, printed


def times_made(programs: Path) -> int:
    calls = programs / "calls"
    return len(calls.read_text().splitlines()) if calls.exists() else 0


def test_a_machine_is_made_once_of_disk_kernel_and_initrd(programs: Path, tmp_path: Path) -> None:
    machine = tmp_path / "cache/vm"

    code, printed = make(programs, machine)
    assert (code, make(programs, machine)) == (0, (0, "")), printed

    assert {path.name for path in machine.iterdir()} == MADE
    assert (machine / "vmlinuz").read_text() == "kernel\n"
    assert times_made(programs) == 1


@pytest.mark.parametrize("program", ["debootstrap", "chroot", "mke2fs"])
def test_a_failed_step_leaves_no_machine_and_says_why(
    programs: Path, tmp_path: Path, program: str
) -> None:
    script = (programs / program).read_text()
    play(programs, program, f"{script}\necho no space >&2; exit 1")

    code, printed = make(programs, tmp_path / "vm")

    assert code == 1
    assert "failed (exit status 1)" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "vm.lock", "vm.log"}


def test_a_build_that_was_killed_does_not_count_and_the_next_one_does(
    programs: Path, tmp_path: Path
) -> None:
    machine = tmp_path / "vm"
    play(programs, "debootstrap", DEBOOTSTRAP + "exec sleep 60")
    with start(programs, machine) as process:
        while not (tmp_path / "vm.partial/root/boot/initrd.img-6.12").exists():
            time.sleep(0.02)
        for pid in descendants(process.pid):
            os.kill(pid, signal.SIGKILL)
    assert not machine.exists()
    assert (tmp_path / "vm.partial").exists()

    play(programs, "debootstrap", DEBOOTSTRAP)

    assert make(programs, machine)[0] == 0
    assert not (tmp_path / "vm.partial").exists()


def descendants(pid: int) -> list[int]:
    """Process `pid` and those below it, parents first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in descendants(int(child)))]


def test_a_machine_of_an_older_recipe_is_made_again(programs: Path, tmp_path: Path) -> None:
    machine = tmp_path / "vm"
    make(programs, machine)
    (machine / ".nsledger-virtual-node").write_text("1234 567\n")

    assert make(programs, machine)[0] == 0
    assert times_made(programs) == 2


def test_a_directory_that_it_did_not_make_is_left_alone(programs: Path, tmp_path: Path) -> None:
    machine = tmp_path / "home"
    machine.mkdir()
    (machine / "thesis.tex").write_text("years of work")

    code, printed = make(programs, machine)

    assert code == 2
    assert "was not made by this tool" in printed
    assert (machine / "thesis.tex").exists()
    assert times_made(programs) == 0
