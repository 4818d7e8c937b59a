"""whois on a busy node's year: the index's build and size, and how long an answer takes.

NSLEDGER_BENCH_RECORDS=10000000 is the whole year; without it, a smaller one of the same making.
Every answer is held against what was true. Inside: from an open index. As a command: a new process.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from nsledger.index import lock
from nsledger.index.opening import opened
from nsledger.index.records import Records
from nsledger.model.instants import ALWAYS, Period
from nsledger.model.record import rfc3339
from nsledger.query.index_lookup import answer
from nsledger.query.targets import parse
from nsledger.query.whois import Answer
from tests import programs
from tests.bench.busy_year import Lived, write

RECORDS = int(os.environ.get("NSLEDGER_BENCH_RECORDS", "300000"))
QUESTIONS = 60
COMMANDS = 15

KINDS: dict[str, tuple[Callable[[Lived], str], bool]] = {
    "net inode, at T": (lambda one: f"net:[{one.net_ino}]", True),
    "mnt inode, at T": (lambda one: f"mnt:[{one.mnt_ino}]", True),
    "namespace id": (lambda one: f"id:{one.mnt_id}", False),
    "pid, at T": (lambda one: f"pid:{one.pid}", True),
    "container id": (lambda one: one.container_id[:16], False),
    "pod IP, at T": (lambda one: one.ip, True),
}
"""How it is asked, and whether for a moment."""


def main() -> None:
    """Measure, print a table, and the figures as JSON on the last line."""
    with tempfile.TemporaryDirectory(prefix="nsl-") as directory:
        ledger = str(Path(directory) / "ledger")
        began_s = time.perf_counter()
        year = write(ledger, RECORDS)
        size_bytes = sum(file.stat().st_size for file in Path(ledger).iterdir())
        generated_s = time.perf_counter() - began_s
        print(f"{RECORDS} records, {size_bytes / RECORDS:.0f} bytes each, in {generated_s:.0f} s")
        build_s, build_cpu_s, index_bytes = _build(ledger)
        print(
            f"index: {RECORDS / build_s:.0f} records/s ({RECORDS / build_cpu_s:.0f} for each second"
            f" of CPU), {index_bytes / size_bytes:.3f} of the ledger's size"
        )
        chance = random.Random(2)
        chosen = chance.sample(year.lived, min(QUESTIONS, len(year.lived)))
        taken_ms, wrong = _ask(ledger, chosen)
        command_ms = _command(ledger, chosen[:COMMANDS])
    print(f"{'question':<18}{'p50 ms':>10}{'p99 ms':>10}")
    for name, taken in taken_ms.items():
        print(f"{name:<18}{statistics.median(taken):>10.2f}{_p99(taken):>10.2f}")
    all_ms = [one for taken in taken_ms.values() for one in taken]
    print(f"{'as a command':<18}{statistics.median(command_ms):>10.2f}{_p99(command_ms):>10.2f}")
    figures = {
        "records": RECORDS,
        "query_p50_ms": round(statistics.median(all_ms), 3),
        "command_p50_ms": round(statistics.median(command_ms), 1),
        "index_build_per_s": round(RECORDS / build_s),
        "index_to_ledger_size": round(index_bytes / size_bytes, 4),
        "wrong_answers": wrong,
    }
    print(json.dumps(figures))


def _build(ledger: str) -> tuple[float, float, int]:
    """Seconds, seconds of CPU, and the size of the index."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with lock.locked(ledger) as path:
        lock.rebuild(path, ledger)
    took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    return took_s, took_cpu_s, os.stat(path).st_size


def _ask(ledger: str, chosen: list[Lived]) -> tuple[dict[str, list[float]], int]:
    """Milliseconds by the kind of question, and how many answers were not true."""
    taken_ms: dict[str, list[float]] = {name: [] for name in KINDS}
    wrong = 0
    gc.freeze()
    with opened(ledger, cache=None) as index:
        for one in chosen:
            for name, (word, of_moment) in KINDS.items():
                period = Period.moment(rfc3339(one.at_ns)) if of_moment else ALWAYS
                began_s = time.perf_counter()
                found = answer(
                    Records(index.database, index.reached, ledger),
                    parse(word(one)),
                    asked=word(one),
                    period=period,
                )
                taken_ms[name].append((time.perf_counter() - began_s) * 1000)
                wrong += not _is_true(found, one, name)
    return taken_ms, wrong


def _is_true(found: Answer, one: Lived, name: str) -> bool:
    """Whether the answer names that pod and nobody else; of its own, that container."""
    pods = {interval.owner.pod.pod_sandbox_id for interval in found.intervals}
    containers = {interval.owner.container.container_id for interval in found.intervals}
    shared = name in {"net inode, at T", "pod IP, at T"}
    return pods == {one.sandbox_id} and (
        one.container_id in containers if shared else containers == {one.container_id}
    )


def _command(ledger: str, chosen: list[Lived]) -> list[float]:
    """Milliseconds of `nsledger whois net:[…] --at T`, from its start to its end."""
    env = programs.environment(Path(ledger))
    taken_ms: list[float] = []
    for one in chosen:
        at = rfc3339(one.at_ns)
        words = [*programs.COMMAND, "whois", f"net:[{one.net_ino}]", "--at", at]
        began_s = time.perf_counter()
        subprocess.run(words, env=env, check=True, capture_output=True)
        taken_ms.append((time.perf_counter() - began_s) * 1000)
    return taken_ms


def _p99(taken_ms: list[float]) -> float:
    return statistics.quantiles(taken_ms, n=100)[98]
