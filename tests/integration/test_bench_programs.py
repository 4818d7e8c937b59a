"""The benchmarks still run, and end with the figures that others read: one tiny round each."""

from __future__ import annotations

import json
import math

import pytest

from tests.bench import relay_bench
from tests.bench.cells import Effort
from tests.bench.relay_bench import Plan

PROMISED = {
    "direct_p50_us",
    "nginx_added_p50_us",
    "added_p50_us",
    "ratio_to_nginx",
    "annotated_added_p50_us",
    "calls_per_s_32",
    "cpu_us_per_call",
    "rss_mib",
    "startup_ms",
}


@pytest.mark.peers
def test_the_benchmark_of_the_relay_ends_with_one_line_of_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    effort = Effort(rounds=1, seconds=0.02, creations=16, streamed=10)

    relay_bench.main(Plan(effort, starts=1, quiet_s=0.0, idle_s=0.1, polling_s=0.1))

    *table, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    assert figures.keys() >= PROMISED
    assert all(math.isfinite(figures[name]) for name in PROMISED - {"ratio_to_nginx"})
    assert not [line for line in table if line.startswith("{")]
