from __future__ import annotations

import msgspec
import pytest

from nsledger.model.events import DiskStage
from nsledger.render.ledger_status import (
    GapSum,
    RecordSpan,
    RemovedByRule,
    RunningDaemon,
    SpoolCount,
    Status,
    Storage,
    draw,
    size,
)
from nsledger.render.text import Screen

TIME = "2026-11-24T00:03:50.123456789Z"
GOOD = Status(
    ledger="/ledger",
    ledger_id="ab",
    daemon=RunningDaemon(pid=7, since=TIME),
    records=RecordSpan(3, 5, 7, TIME, TIME),
    storage=Storage(2, 1, 3 << 20, DiskStage.WARN, 5 << 30, stopped=False),
    pruned=RemovedByRule(through_seq=4, time=TIME, rule="max_age"),
    gaps_since=TIME,
    gaps=(),
    spool=SpoolCount(waiting=2, quarantined={}),
)


def test_a_good_ledger_is_told_in_a_line_for_each_thing() -> None:
    assert list(draw(GOOD, Screen())) == [
        "/ledger: good",
        "  id       ab",
        "  daemon   pid 7 since 2026-11-24 00:03:50",
        "  records  3: 5 at 2026-11-24 00:03:50 to 7 at 2026-11-24 00:03:50",
        "  size     3.0 MiB in 2 segments, 1 of them compressed",
        "  pruned   through entry 4 at 2026-11-24 00:03:50, by max_age",
        "  disk     5.0 GiB free: warn",
        "  gaps     none since 2026-11-24 00:03:50",
        "  spool    2 waiting, none in quarantine",
    ]


def test_what_is_not_there_is_said() -> None:
    bare = msgspec.structs.replace(
        GOOD, ledger_id=None, daemon=None, records=None, pruned=None, spool=None
    )

    assert list(draw(bare, Screen()))[1:4] == [
        "  id       unknown",
        "  daemon   none writes it",
        "  records  none",
    ]
    assert list(draw(bare, Screen()))[-1] == "  spool    none"


@pytest.mark.parametrize(
    ("worse", "line"),
    [
        (
            {"gaps": (GapSum("unclean_stop", 2, None), GapSum("disk_full", 1, 9))},
            "  gaps     an unknown number missing since 2026-11-24 00:03:50: unclean_stop (2 gaps)",
        ),
        (
            {"spool": SpoolCount(0, {"unreadable": 3, "linked": 1})},
            "  spool    0 waiting, 3 unreadable, 1 linked in quarantine",
        ),
        (
            {"storage": Storage(1, 0, 1, DiskStage.STOP, 12, stopped=True)},
            "  disk     12 bytes free: stop",
        ),
    ],
)
def test_bad_news_is_in_the_verdict_and_in_its_line(worse: dict[str, object], line: str) -> None:
    status = msgspec.structs.replace(GOOD, **worse)

    drawn = list(draw(status, Screen()))

    assert status.worries
    assert drawn[0] == f"/ledger: {'; '.join(status.worries)}"
    assert line in drawn


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (0, 1023, 1536, 1 << 50)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "1024.0 TiB",
    ]
