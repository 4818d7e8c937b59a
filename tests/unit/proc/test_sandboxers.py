"""Which process is a sandboxer's, by what lies on the node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nsledger.proc.sandboxers import program_is_sandboxer, sandboxer_of
from tests.processes import sleeping

GVISOR = "gVisor (runsc)"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/usr/local/bin/runsc", GVISOR),
        ("/opt/gvisor/runsc-20261101", GVISOR),
        ("runsc-sandbox", GVISOR),
        ("/usr/bin/qemu-system-x86_64", "a virtual machine (qemu)"),
        ("/usr/bin/cloud-hypervisor", "a virtual machine (cloud-hypervisor)"),
        ("/usr/bin/runc", ""),
        ("/usr/bin/crun", ""),
        ("/pause", ""),
        ("", ""),
    ],
)
def test_a_sandboxer_is_known_by_its_programs_name(program: str, said: str) -> None:
    assert program_is_sandboxer(program) == said


def test_a_process_of_runsc_on_the_nodes_files_is_gvisors(tmp_path: Path) -> None:
    program = str(tmp_path / "runsc")
    shutil.copy(shutil.which("sleep") or "", program)

    with sleeping("", (program, "600")) as process:
        assert sandboxer_of(process.pid, "c1", state_directories=()) == GVISOR


def test_the_state_that_runsc_keeps_says_it_whatever_the_process_is(tmp_path: Path) -> None:
    (tmp_path / "c1_sandbox:s1.state").touch()

    assert sandboxer_of(os.getpid(), "c1", state_directories=[str(tmp_path)]) == GVISOR
    assert sandboxer_of(os.getpid(), "c", state_directories=[str(tmp_path)]) == ""
    assert sandboxer_of(os.getpid(), "../c1", state_directories=[str(tmp_path)]) == ""


def test_an_ordinary_process_and_one_that_is_gone_are_nobodys(tmp_path: Path) -> None:
    with sleeping() as process:
        assert sandboxer_of(process.pid, "c1", state_directories=[str(tmp_path)]) == ""
    assert sandboxer_of(4194304, "c1", state_directories=()) == ""
