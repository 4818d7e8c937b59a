"""`make demo`: it shows the main job, it says what a machine lacks, and it leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SID_TREE
from tests.node.conftest import GENERATIONS
from tests.node.test_private_node import traces, until_nothing_is_left

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
"""What the demonstration may take, its set-up apart."""


def demo(generation: int) -> subprocess.Popen[str]:
    tree = ["--tree", str(SID_TREE)] if generation == 2 else []
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *tree],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def name_in(printed: str) -> str:
    found = re.search(r"/var/tmp/(nsl-\w+)", printed)
    assert found, printed
    return found[1]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_demo_shows_every_pod_and_leaves_nothing(generation: int) -> None:
    with demo(generation) as process:
        printed, _ = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 0, printed
    for command in ("show demo/plain", "show demo/shared-pid", "show demo/host", "log", "verify"):
        assert f"$ nsledger {command}\n" in printed
    assert "$ nsledger whois net:[" in printed
    told = " ".join(printed.split())  # however wide the screen is
    assert "app and sidecar see each other's processes: both joined /proc/" in told
    pods = r"^demo/host +running +1 +\u25b2 net ipc uts pid( cgroup)? +match"
    assert re.search(pods, printed, re.MULTILINE)
    assert "medium  host_namespace  demo/host\n" in printed
    assert "high " not in printed
    assert ("$ nsledger show demo/user-namespace\n" in printed) == (generation == 2)
    assert ("no pod user-namespace" in printed) == (generation == 1)
    assert "sound" in printed
    assert traces(name_in(printed)) == []


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_leaves_nothing_when_it_is_interrupted(generation: int, number: int) -> None:
    with demo(generation) as process:
        assert process.stdout is not None
        printed = ""
        while "pod plain runs" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line

        process.send_signal(number)

        printed += process.communicate(timeout=LIMIT_S)[0]
    assert process.returncode == 128 + number, printed
    assert "Traceback" not in printed
    until_nothing_is_left(name_in(printed))


@pytest.mark.containerd1
def test_the_demo_leaves_nothing_when_a_step_fails(tmp_path: Path) -> None:
    broken = tmp_path / "containerd"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)

    done = subprocess.run(
        [sys.executable, "-m", "demo", "--containerd", str(broken)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )

    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "make demo: " in done.stderr


@pytest.mark.root
def test_without_root_it_says_so_and_what_to_do() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", ROOT / "tools/can-demo"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 3
    assert "needed root" in done.stderr
    assert "sudo make demo" in done.stderr


def test_without_linux_it_says_so_and_what_to_do(tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n")
    uname.chmod(0o755)

    done = subprocess.run(
        [ROOT / "tools/can-demo"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )

    assert done.returncode == 3
    assert "found Darwin, needed Linux" in done.stderr
