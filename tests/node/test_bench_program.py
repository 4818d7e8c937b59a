"""The benchmark on real containerd still runs, and ends with its figures: one pod each way."""

from __future__ import annotations

import json

import pytest

from tests.bench import node_bench


@pytest.mark.containerd1
def test_the_benchmark_of_a_node_ends_with_one_line_of_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node_bench.main(rounds=1)

    *_, last = capsys.readouterr().out.splitlines()
    figures = json.loads(last)
    for way in ("neither", "shim", "hook", "shim_hook"):
        assert figures[f"{way}_RunPodSandbox_ms"] > 0
        assert figures[f"{way}_pods_per_minute"] > 0
