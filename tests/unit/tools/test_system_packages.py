"""What the Makefile installs: only what is missing, and never at the cost of what is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "tools/system-packages"


class Machine:
    """A machine with the programs it is given, whose apt-get writes down what it is told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._told = directory / "told"
        self.has("id", "echo 0")
        self.has("dpkg-query", "exit 1")
        self.has("apt-get", f'echo "$@" >> {self._told}')

    def has(self, program: str, script: str = "") -> None:
        path = self._directory / program
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def lacks(self, program: str) -> None:
        (self._directory / program).unlink()

    def install(self, *packages: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TOOL, *packages],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": str(self._directory)},
        )

    @property
    def told(self) -> list[str]:
        return self._told.read_text().splitlines() if self._told.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_with_nothing_missing_apt_is_not_called(machine: Machine) -> None:
    machine.has("containerd")  # dpkg knows nothing of it: another packager's, or built here
    machine.has("busybox")

    assert machine.install("containerd", "busybox-static").returncode == 0
    assert machine.told == []


def test_only_what_is_missing_is_installed_and_nothing_is_removed_for_it(machine: Machine) -> None:
    machine.has("busybox")

    assert machine.install("busybox-static", "containerd", "python3-venv").returncode == 0
    (_, install) = machine.told
    assert install.startswith("install ")
    assert "--no-remove" in install.split()
    assert install.endswith(" containerd python3-venv")


def test_without_apt_it_says_what_is_missing(machine: Machine) -> None:
    machine.lacks("apt-get")

    done = machine.install("containerd")

    assert done.returncode == 3
    assert "missing: containerd" in done.stderr
    assert "package manager" in done.stderr


def test_without_root_it_says_what_to_run(machine: Machine) -> None:
    machine.has("id", "echo 1000")

    done = machine.install("containerd")

    assert done.returncode == 3
    assert "sudo apt-get install containerd" in done.stderr
    assert machine.told == []
