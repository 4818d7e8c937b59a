"""Every question about a busy node's year, as whole commands with the index there, and without it.

NSLEDGER_BENCH_RECORDS=10000000 is the whole year; without it, a smaller one of the same making.
Answers are held against what the generator knows. Ends with one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from nsledger.index.opening import NAME
from nsledger.model.record import rfc3339
from tests import programs
from tests.bench.busy_year import Lived, write

RECORDS = int(os.environ.get("NSLEDGER_BENCH_RECORDS", "300000"))
TIMES = 5
_OF_MANY: Final = {"reindex", "report"}
"""What is about all pods of the node, or all records."""
_MIB: Final = 1024
"""Kilobytes, as wait4(2) counts."""
_RESTORE: Final = """
import sys, time
began = time.perf_counter()
from nsledger.index.opening import existing
from nsledger.index.records import Records
from nsledger.model.record import decode
from nsledger.state.pods import Workloads
imported = time.perf_counter()
with existing(sys.argv[1], cache=None) as index:
    lines = Records(index.database, index.reached, sys.argv[1]).restored(1 << 62)
workloads = Workloads()
for number, line in enumerate(lines):
    workloads.apply_record(decode(line))
    if number % 1024 == 0:
        workloads.forget_removed()
workloads.forget_removed()
print((time.perf_counter() - imported) * 1000, len(workloads.pods))
"""


class Commands:
    """Runs commands on one ledger, and keeps what they took."""

    def __init__(self, ledger: str, cache: Path) -> None:
        self.wrong = 0
        self.rss_mib: dict[str, float] = {}
        self.taken_ms: dict[str, list[float]] = {}
        self._ledger = ledger
        self._env = {**programs.environment(Path(ledger)), "XDG_CACHE_HOME": str(cache)}

    def run(self, name: str, *words: str, is_true: Callable[[str], bool]) -> None:
        """Run `nsledger WORDS` and hold what it says against `is_true`."""
        told, taken_ms, rss_mib = self._measured([*programs.COMMAND, *words])
        self.taken_ms.setdefault(name, []).append(taken_ms)
        self.rss_mib[name] = max(self.rss_mib.get(name, 0), rss_mib)
        if not is_true(told):
            self.wrong += 1
            print(f"wrong: {' '.join(words)}: {told[:200]!r}", file=sys.stderr)

    def restore(self) -> None:
        """What a daemon's restart reads."""
        told, _, rss_mib = self._measured([sys.executable, "-c", _RESTORE, self._ledger])
        self.taken_ms.setdefault("restore", []).append(float(told.split()[0]))
        self.rss_mib["restore"] = max(self.rss_mib.get("restore", 0), rss_mib)

    def p50_ms(self, name: str) -> float:
        """Of the runs so far."""
        return round(statistics.median(self.taken_ms[name]), 1)

    def _measured(self, words: list[str]) -> tuple[str, float, float]:
        with tempfile.TemporaryFile() as told:
            began_s = time.perf_counter()
            child = subprocess.Popen(words, env=self._env, stdout=told)
            _, _, usage = os.wait4(child.pid, 0)
            taken_ms = (time.perf_counter() - began_s) * 1000
            child.returncode = 0
            told.seek(0)
            return told.read().decode(), taken_ms, usage.ru_maxrss / _MIB


def main() -> None:
    """Measure, print a table, and the figures as JSON on the last line."""
    with tempfile.TemporaryDirectory(
        prefix="nsl-", dir=os.environ.get("NSLEDGER_BENCH_DIR")
    ) as directory:
        ledger = str(Path(directory) / "ledger")
        # Elsewhere: a child's largest memory is counted from what its parent has.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
            lived, ends_ns = elsewhere.submit(_write, ledger).result()
        size_bytes = sum(file.stat().st_size for file in Path(ledger).iterdir())
        print(f"{RECORDS} records, {size_bytes / RECORDS:.0f} bytes each")
        began_s = time.perf_counter()
        commands = Commands(ledger, Path(directory) / "cache")
        commands.run("reindex", "reindex", is_true=lambda told: f"{RECORDS} entries" in told)
        rebuild_s = time.perf_counter() - began_s
        index_bytes = os.stat(Path(ledger) / NAME).st_size
        chance = random.Random(3)
        for one in chance.sample(lived, min(TIMES, len(lived))):
            _ask_about(commands, one)
            _ask_about_the_node(commands, ends_ns)
            commands.restore()
        _print(commands)
        figures = {
            "records": RECORDS,
            **{f"{name}_ms": commands.p50_ms(name) for name in commands.taken_ms},
            "max_rss_mib": round(
                max(mib for name, mib in commands.rss_mib.items() if name not in _OF_MANY)
            ),
            "reindex_rss_mib": round(commands.rss_mib["reindex"]),
            "rebuild_per_s": round(RECORDS / rebuild_s),
            "index_to_ledger_size": round(index_bytes / size_bytes, 4),
            "wrong_answers": commands.wrong,
        }
    print(json.dumps(figures))


def _write(ledger: str) -> tuple[list[Lived], int]:
    year = write(ledger, RECORDS)
    return year.lived, year.ends_ns


def _ask_about(commands: Commands, one: Lived) -> None:
    at = rfc3339(one.at_ns)
    pod = one.sandbox_id

    def is_pod(told: str) -> bool:
        matrix = json.loads(told)
        containers = {row["id"] for row in matrix["processes"]}
        return matrix["pod"]["pod_sandbox_id"] == pod and one.container_id in containers

    def is_there(told: str) -> bool:
        return any(line["pod"]["pod_sandbox_id"] == pod for line in json.loads(told))

    def is_whose(told: str) -> bool:
        owners = {
            owner["owner"]["pod"]["pod_sandbox_id"] for owner in json.loads(told)["intervals"]
        }
        return owners == {pod}

    def is_about(told: str) -> bool:
        lines = told.splitlines()
        return len(lines) > 1 and all(pod in line or "requested" in line for line in lines)

    commands.run("show", "show", pod, "-o", "json", is_true=is_pod)
    commands.run("show_at", "show", pod, "--at", at, "-o", "json", is_true=is_pod)
    commands.run("pods_at", "pods", "--at", at, "-o", "json", is_true=is_there)
    commands.run("explain", "explain", pod, "-o", "json", is_true=lambda told: pod[:13] in told)
    commands.run("log_pod", "log", "--pod", pod, "-o", "jsonl", is_true=is_about)
    commands.run("report_pod", "report", pod, "-f", "-", is_true=lambda told: pod in told)
    net = f"net:[{one.net_ino}]"
    commands.run("whois", "whois", net, "--at", at, "-o", "json", is_true=is_whose)


def _ask_about_the_node(commands: Commands, ends_ns: int) -> None:
    since = rfc3339(ends_ns - 600 * 10**9)

    def is_near(told: str) -> bool:
        lines: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines()]
        return bool(lines) and min(line["time"] for line in lines) >= since

    commands.run("pods", "pods", "-o", "json", is_true=lambda told: len(json.loads(told)) > 1)
    commands.run("findings", "findings", "-o", "json", is_true=lambda told: told == "[]\n")
    commands.run("status", "status", "-o", "json", is_true=lambda told: bool(json.loads(told)))
    commands.run("log_since", "log", "--since", since, "-o", "jsonl", is_true=is_near)
    commands.run("report", "report", "-f", "-", is_true=lambda told: "</html>" in told)


def _print(commands: Commands) -> None:
    print(f"{'question':<14}{'p50 ms':>10}{'MiB':>8}")
    for name in commands.taken_ms:
        print(f"{name:<14}{commands.p50_ms(name):>10.1f}{commands.rss_mib[name]:>8.0f}")
