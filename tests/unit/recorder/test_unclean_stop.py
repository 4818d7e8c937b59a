from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import (
    UNCLEAN_STOP,
    DaemonStopped,
    DiskStage,
    DiskStageChanged,
    Event,
    Gap,
    LedgerResumed,
    LedgerStopped,
    PodRemoved,
    Source,
)
from nsledger.model.record import encode, rfc3339
from nsledger.model.refs import PodRef
from nsledger.recorder.previous_session import unclean_stop
from tests import ledgers, recording

STOPPED = DaemonStopped(source=Source.DAEMON, reason="signal")
RUNNING = PodRemoved(source=Source.RECONCILE, pod=PodRef(pod_sandbox_id="p1"))
RESUMED = LedgerResumed(source=Source.DAEMON, free_bytes=1)
WARNED = DiskStageChanged(
    source=Source.DAEMON, stage=DiskStage.WARN, before=DiskStage.OK, free_bytes=1
)
HANDED = DaemonStopped(source=Source.DAEMON, reason="handed over")
GAP = Gap(source=Source.DAEMON, reason="queue_full", count=1, first_time="", last_time="")
FULL = LedgerStopped(source=Source.DAEMON, reason="disk_full", free_bytes=0)


def ledger(directory: Path, *events: Event) -> str:
    writer = LedgerWriter.open(str(directory))
    for event in events:
        writer.append([encode(event, recording.now())])
    writer.close()
    return str(directory)


@pytest.mark.parametrize(
    "events",
    [
        (),
        (WARNED,),
        (RUNNING, STOPPED),
        (RUNNING, STOPPED, GAP, GAP),
        (RUNNING, STOPPED, FULL),
        (RUNNING, STOPPED, WARNED, FULL, RESUMED, WARNED),
        (RUNNING, STOPPED, *[GAP] * 200),
        (RUNNING, HANDED),
    ],
)
def test_a_daemon_that_said_good_bye_left_no_hole(tmp_path: Path, events: tuple[Event]) -> None:
    assert unclean_stop(ledger(tmp_path, *events), recording.now()) is None


@pytest.mark.parametrize(
    "events",
    [(RUNNING,), (STOPPED, RUNNING), (STOPPED, RUNNING, GAP, FULL), (RUNNING, HANDED, RUNNING)],
)
def test_one_that_did_not_left_a_hole_of_unknown_size(tmp_path: Path, events: tuple[Event]) -> None:
    now = recording.now()

    gap = unclean_stop(ledger(tmp_path, *events), now)

    assert gap is not None
    assert (gap.reason, gap.count) == (UNCLEAN_STOP, None)
    assert gap.first_time == recording.records(tmp_path)[-1].time
    assert gap.last_time == rfc3339(now.time_ns)


def test_a_damaged_end_is_no_clean_one(tmp_path: Path) -> None:
    ledger(tmp_path, STOPPED, RUNNING)
    ledgers.replace(tmp_path, [b"damage\n", ledgers.lines(tmp_path)[1]])

    assert unclean_stop(str(tmp_path), recording.now()) is not None
