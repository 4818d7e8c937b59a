"""What the ledger costs: appending, verifying and listing, and in how much memory.

NSLEDGER_BENCH_RECORDS is the length of the ledger that is verified and listed, a million unless it
says ten: these take six gigabytes and some minutes. NSLEDGER_BENCH_DIR is where; the disk there
decides what is synced.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import programs
from tests.bench import generated_ledger, ledger_appends
from tests.bench.processes import resident_mib

TEN_MILLION = 10_000_000
GOALS = {
    "ledger, not synced": 200_000,
    "ledger, not synced, 64 to a write": 200_000,
    "ledger, 64 synced together": 100_000,
}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program went."""

    seconds: float
    resident_mib: float
    """The most that it and its children had together, as far as samples tell."""


def run(arguments: Sequence[str], where: Path) -> Ran:
    """Run a program to its end, its output thrown away."""
    began_s, most_mib = time.perf_counter(), 0.0
    with subprocess.Popen(
        arguments, env=programs.environment(where), stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            most_mib = max(most_mib, resident_mib(process.pid))
            time.sleep(0.01)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Ran(time.perf_counter() - began_s, most_mib)


def nsledger(*arguments: str, cores: int = 1) -> list[str]:
    """A command line of ours on so many cores."""
    on = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    return ["taskset", "--cpu-list", on, *programs.COMMAND, *arguments]


def main() -> None:
    """Print a table, and one JSON object at the end."""
    records = int(os.environ.get("NSLEDGER_BENCH_RECORDS", "1000000"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("NSLEDGER_BENCH_DIR")) as directory:
        appended = ledger_appends.rates(Path(directory))
        show_appends(appended)
        ledger = Path(directory) / "ledger"
        generated_ledger.write(str(ledger), records)
        os.sync()  # what is still to be written would be read against
        rounds = 2 if records >= TEN_MILLION else 3
        read = measure_reading(ledger, rounds)
    show_reading(read, records, rounds)
    verified, hashed = read["verify, one core"], read["sha256sum"]
    figures = {
        "append_unsynced_per_s": round(statistics.median(appended["ledger, not synced"])),
        "append_unsynced_64_to_a_write_per_s": round(
            statistics.median(appended["ledger, not synced, 64 to a write"])
        ),
        "append_batched_per_s": round(statistics.median(appended["ledger, 64 synced together"])),
        "append_synced_ratio_to_bare_fdatasync": round(
            ledger_appends.ratio(appended, "ledger, synced one by one", "bare write and fdatasync"),
            3,
        ),
        "verify_per_s": round(records / verified.seconds),
        "verify_ratio_to_sha256sum": round(hashed.seconds / verified.seconds, 3),
        "verify_speedup_all_cores": round(verified.seconds / read["verify, all cores"].seconds, 2),
        "records": records,
        "rss_mib_verify": round(read["verify, all cores"].resident_mib, 1),
        "rss_mib_list": round(read["log -o jsonl"].resident_mib, 1),
        "rss_mib_verify_10m": (
            round(read["verify, all cores"].resident_mib, 1) if records >= TEN_MILLION else None
        ),
    }
    print(json.dumps(figures))


def measure_reading(ledger: Path, rounds: int) -> dict[str, Ran]:
    """Each way to read the whole ledger, the best of so many rounds of all."""
    cores = len(os.sched_getaffinity(0))
    segments = sorted(map(str, ledger.glob("*.jsonl")))
    ways = {
        "sha256sum": ["sha256sum", *segments],
        "verify, one core": nsledger("verify"),
        "verify, all cores": nsledger("verify", cores=cores),
        "log -o jsonl": nsledger("log", "-o", "jsonl"),
        "log -n 20": nsledger("log", "-n", "20"),
        "log --since (the last hundred)": nsledger("log", "--since", _near_the_end(ledger)),
    }
    found = [{name: run(way, ledger) for name, way in ways.items()} for _ in range(rounds)]
    return {
        name: Ran(
            min(one[name].seconds for one in found), max(one[name].resident_mib for one in found)
        )
        for name in ways
    }


def _near_the_end(ledger: Path) -> str:
    last = max(ledger.glob("*.jsonl")).read_bytes().splitlines()[-100:]
    return str(json.loads(last[0])["time"])


def show_appends(found: dict[str, list[float]]) -> None:
    """Medians, and the spread over the rounds."""
    size = statistics.mean(map(len, ledger_appends.LINES))
    print(f"{ledger_appends.ROUNDS} interleaved rounds, lines of {size:.0f} bytes on average")
    print(f"{'':34}{'rows/s':>10}{'lowest':>10}{'highest':>10}{'goal':>10}")
    for name, of_rounds in found.items():
        goal = f">={GOALS[name]:>8}" if name in GOALS else ""
        print(
            f"{name:34}{statistics.median(of_rounds):>10.0f}{min(of_rounds):>10.0f}"
            f"{max(of_rounds):>10.0f}{goal:>10}"
        )


def show_reading(read: dict[str, Ran], records: int, rounds: int) -> None:
    """Seconds, records per second and memory of each way."""
    print(f"a ledger of {records} records, best of {rounds}, with the interpreter's start")
    print(f"{'':34}{'seconds':>10}{'records/s':>12}{'RSS MiB':>9}")
    for name, ran in read.items():
        rate = "" if name == "log -n 20" else f"{records / ran.seconds:.0f}"
        print(f"{name:34}{ran.seconds:>10.2f}{rate:>12}{ran.resident_mib:>9.1f}")


if __name__ == "__main__":
    main()
