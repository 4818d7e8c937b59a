from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nsledger.daemon.metrics import Numbers, scraper
from nsledger.ledger.disk_room import RoomLimits, free_bytes
from nsledger.ledger.writer import LedgerWriter
from nsledger.recorder.disk_gate import WriterLimits
from nsledger.recorder.recorder import Recorder
from nsledger.relay.h2.counters import Counters, Latencies
from tests import recording

PATH = "/runtime.v1.RuntimeService/Version"


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
    )
    recorder.start()
    yield recorder
    recorder.close(5)


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    return {
        # The method before the bucket's bound, `le`.
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels, reverse=True))): (
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_number_is_read_when_it_is_asked_for(tmp_path: Path, recorder: Recorder) -> None:
    counters, latencies = Counters(), Latencies()
    scrape = scraper(
        Numbers(
            version="1.2.3",
            ledger=str(tmp_path),
            counters=counters,
            latencies=latencies,
            recorder=recorder,
        )
    )
    scrape()
    counters.count_call(PATH)
    counters.connections += 2
    counters.runtime_bytes += 100
    counters.count_overlooked("compressed")
    latencies.of(PATH).own.add(0.00003)
    latencies.of(PATH).runtime.add(700)
    latencies.of(PATH).in_flight += 1
    recorder.gap("hold_limit", 3)
    recorder.record(recording.event("one"), at=recording.now())
    recorder.close(5)

    found = samples(scrape())

    assert found["nsledger_info", "1.2.3"] == 1
    assert found["nsledger_connections_total",] == 2
    assert found["nsledger_calls_total", PATH] == 1
    assert found["nsledger_relayed_bytes_total", "runtime"] == 100
    assert found["nsledger_overlooked_total", "compressed"] == 1
    assert found["nsledger_call_own_seconds_bucket", PATH, "2.5e-05"] == 0
    assert found["nsledger_call_own_seconds_bucket", PATH, "5e-05"] == 1
    assert found["nsledger_call_runtime_seconds_bucket", PATH, "600.0"] == 0
    assert found["nsledger_call_runtime_seconds_bucket", PATH, "+Inf"] == 1
    assert found["nsledger_call_runtime_seconds_sum", PATH] == 700
    assert found["nsledger_method_calls_in_flight", PATH] == 1
    assert found["nsledger_records_total",] >= 2
    assert found["nsledger_gaps_total", "hold_limit"] == 3
    assert found["nsledger_ledger_failing",] == 0
    assert found["nsledger_queue_depth",] == 0
    assert found["nsledger_ledger_bytes",] == sum(p.stat().st_size for p in tmp_path.iterdir())


def test_how_full_the_disk_is_can_be_read(tmp_path: Path) -> None:
    needed = free_bytes(str(tmp_path)) * 2
    recorder = Recorder(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        limits=WriterLimits(room=RoomLimits(warn_bytes=needed, prune_bytes=needed)),
    )
    numbers = Numbers(
        version="1",
        ledger=str(tmp_path),
        counters=Counters(),
        latencies=Latencies(),
        recorder=recorder,
    )
    recorder.start()
    before = samples(scraper(numbers)())
    recorder.record(recording.event("one"), at=recording.now()).wait(5)

    found = samples(scraper(numbers)())
    recorder.close(5)

    stages = {name[1]: one for name, one in found.items() if name[0].endswith("disk_stage")}
    assert stages == {"ok": 0, "warn": 0, "prune": 1, "stop": 0}
    assert before["nsledger_ledger_disk_stage", "stop"] == 0
    assert 0 < found["nsledger_ledger_disk_free_bytes",] < needed


def test_a_ledger_that_is_not_there_has_no_bytes(tmp_path: Path, recorder: Recorder) -> None:
    numbers = Numbers(
        version="1",
        ledger=str(tmp_path / "none"),
        counters=Counters(),
        latencies=Latencies(),
        recorder=recorder,
    )

    assert samples(scraper(numbers)())["nsledger_ledger_bytes",] == 0
