"""What the hook adds to a container start, beside an interpreter that starts and does nothing.

One run of everything is a round; within a round the order is random, so that a busy moment of the
machine meets all alike. Each run is a posix_spawn and a wait4, with a warm cache; where the machine
allows it the runs go before other processes, whose share of the time is not the hook's.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nsledger_hook import hook

PYTHON = "/usr/bin/python3"
ROUNDS = 200
WARM_UP_ROUNDS = 5
INSTALLED = "launch.py"
"""The form that is installed: its figures are `hook_ms` and `p99_ms`."""

_MASKED_PATHS = [f"/proc/masked/{number}" for number in range(20)]
_SYSCALLS = [f"syscall_number_{number}" for number in range(350)]


def main() -> None:
    """Measure, print a table, and the figures as JSON on the last line."""
    with (
        tempfile.TemporaryDirectory(prefix="nsl-", dir=_a_tmpfs()) as name,
        subprocess.Popen(["sleep", "600"]) as container,
    ):
        programs = _prepare(Path(name), container.pid)
        try:
            with _ahead_of_others() as scheduling:
                times_ms = _measure(programs, Path(name))
        finally:
            container.kill()
    floor_ms = statistics.median(times_ms["floor"])
    print(f"{ROUNDS} rounds of {PYTHON} -I -S, {scheduling}, spool on {_a_tmpfs()}")
    print(f"{'run':<12}{'median ms':>10}{'p99 ms':>10}{'x floor':>10}")
    for name, taken in times_ms.items():
        median = statistics.median(taken)
        print(f"{name:<12}{median:>10.2f}{_p99(taken):>10.2f}{median / floor_ms:>10.2f}")
    hook_ms = statistics.median(times_ms[INSTALLED])
    figures = {
        "floor_ms": round(floor_ms, 3),
        "hook_ms": round(hook_ms, 3),
        "ratio": round(hook_ms / floor_ms, 3),
        "p99_ms": round(_p99(times_ms[INSTALLED]), 3),
        "true_ms": round(statistics.median(times_ms["true"]), 3),
    }
    print(json.dumps(figures))


@contextlib.contextmanager
def _ahead_of_others() -> Iterator[str]:
    """Run in real time, as the programs that are started here do then, if that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        yield "scheduled like any process"
        return
    try:
        yield "ahead of other processes"
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _a_tmpfs() -> str:
    """Where a node's spool would be: in memory."""
    return next((path for path in ("/dev/shm", "/run") if os.access(path, os.W_OK)), "/tmp")


def _prepare(directory: Path, pid: int) -> dict[str, list[str]]:
    """Install the hook, write a bundle and a state as containerd has them; what to run, by name."""
    (directory / "spool").mkdir()
    for file in ("hook.py", "launch.py"):
        shutil.copy(Path(hook.__file__).with_name(file), directory)
    subprocess.run([PYTHON, "-m", "py_compile", directory / "hook.py"], check=True)
    (compiled,) = (directory / "__pycache__").iterdir()
    shutil.copy(compiled, directory / "hook.pyc")
    (directory / "config.json").write_text(json.dumps(_oci_config()))
    (directory / "state.json").write_text(json.dumps(_oci_state(pid, directory)))
    bare = [PYTHON, "-I", "-S"]
    options = ["--spool", str(directory / "spool"), "--stage", "createRuntime"]
    return {
        "true": ["/bin/true"],
        "floor": [*bare, "-c", "__import__('posix')._exit(0)"],
        **{
            file: [*bare, str(directory / file), *options]
            for file in ("launch.py", "hook.pyc", "hook.py")
        },
    }


def _oci_config() -> dict[str, object]:
    """About 17 kB, most of it a seccomp profile, as for a container of Kubernetes."""
    types = ("pid", "ipc", "uts", "mount", "network", "cgroup")
    return {
        "ociVersion": "1.1.0",
        "process": {"env": [f"SERVICE_{number}=10.0.0.{number}" for number in range(50)]},
        "linux": {
            "namespaces": [{"type": type_, "path": f"/proc/4242/ns/{type_}"} for type_ in types],
            "maskedPaths": _MASKED_PATHS,
            "seccomp": {"syscalls": [{"names": _SYSCALLS, "action": "SCMP_ACT_ALLOW"}] * 2},
        },
    }


def _oci_state(pid: int, bundle: Path) -> dict[str, object]:
    values = dict.fromkeys(hook.ANNOTATIONS, "01931f5e-7c1b-7000-8000-3f5a0c2d9b11")
    return {
        "ociVersion": "1.1.0",
        "id": "8a5d6c0e7f1b4f0a9c3e2d1b0a998877665544332211ffeeddccbbaa00112233",
        "status": "creating",
        "pid": pid,
        "bundle": str(bundle),
        "annotations": {**values, "io.kubernetes.cri.image-name": "registry.example/web:1"},
    }


def _measure(programs: dict[str, list[str]], directory: Path) -> dict[str, list[float]]:
    """Milliseconds from spawn to exit, by name, one for each round.

    Raises:
        RuntimeError: a run failed, or a hook left no record.
    """
    times_ms: dict[str, list[float]] = {name: [] for name in programs}
    spawn = _spawner(directory / "state.json")
    order = random.Random(1)
    for round_ in range(WARM_UP_ROUNDS + ROUNDS):
        for name in order.sample(list(programs), len(programs)):
            taken_ms = spawn(programs[name])
            if round_ >= WARM_UP_ROUNDS:
                times_ms[name].append(taken_ms)
    records = len(list((directory / "spool").glob("*.json")))
    if records != 3 * (WARM_UP_ROUNDS + ROUNDS):
        raise RuntimeError(f"{records} records in the spool")
    return times_ms


def _spawner(state: Path) -> Callable[[list[str]], float]:
    stdin = [(os.POSIX_SPAWN_OPEN, 0, str(state), os.O_RDONLY, 0)]

    def spawn(words: list[str]) -> float:
        started_ns = time.perf_counter_ns()
        pid = os.posix_spawn(words[0], words, {"PATH": "/usr/bin:/bin"}, file_actions=stdin)
        _, status, _ = os.wait4(pid, 0)
        taken_ms = (time.perf_counter_ns() - started_ns) / 1e6
        if status != 0:
            raise RuntimeError(f"{words} ended with status {status}")
        return taken_ms

    return spawn


def _p99(taken_ms: list[float]) -> float:
    return statistics.quantiles(taken_ms, n=100)[98]
