from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

import msgspec
import pytest

from nsledger.cli.commands.status import look
from nsledger.cli.reading import Reading
from nsledger.daemon.config import Configuration
from nsledger.ledger.compression import compress
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import DiskStage, Event, Gap, LedgerCreated, LedgerStopped, Source
from nsledger.model.record import Moment, encode
from nsledger.render.ledger_status import GapSum, RecordSpan
from tests import recording
from tests.unit.cli.conftest import Nsledger

HOUR_NS = 3600 * 10**9
NOW_NS = 1_700_000_000 * 10**9
ROOMY = Configuration(disk_warn_free_bytes=0, disk_prune_free_bytes=0, disk_stop_free_bytes=0)


def gap(reason: str, count: int | None) -> Gap:
    return Gap(source=Source.DAEMON, reason=reason, count=count, first_time="", last_time="")


def write(directory: Path, *events: tuple[int, Event]) -> LedgerWriter:
    """Events, and how many hours ago each was."""
    writer = LedgerWriter.open(str(directory))
    created = LedgerCreated(source=Source.DAEMON, ledger_id=recording.LEDGER_ID)
    for hours, event in [(100, created), *events]:
        moment = Moment(time_ns=NOW_NS - hours * HOUR_NS, mono_ns=0, boot_id="boot")
        writer.append([encode(event, moment)])
        writer.rotate()
    return writer


def test_gaps_of_the_last_day_are_added_up_by_reason(tmp_path: Path) -> None:
    write(
        tmp_path,
        (25, gap("disk_full", 99)),
        (23, gap("disk_full", 2)),
        (22, gap("unclean_stop", None)),
        (22, gap("unclean_stop", None)),
        (1, gap("disk_full", 3)),
        (1, recording.event("end")),
    ).close()

    status = look(Reading(str(tmp_path)), ROOMY, now_ns=NOW_NS)

    assert status.gaps == (GapSum("disk_full", 2, 5), GapSum("unclean_stop", 2, None))
    assert status.worries == ["something is missing"]


def test_it_says_what_is_in_the_ledger_and_who_writes_it(tmp_path: Path) -> None:
    writer = write(tmp_path, (2, recording.event("a")), (1, recording.event("b")))
    compress(str(tmp_path), "00000000000000000001.jsonl", called_off=lambda: False)

    status = look(Reading(str(tmp_path)), ROOMY, now_ns=NOW_NS)
    writer.close()

    assert status.ledger_id == recording.LEDGER_ID
    assert status.daemon is not None
    assert status.daemon.pid == os.getpid()
    assert status.records == RecordSpan(
        3, 1, 3, "2023-11-10T18:13:20.000000000Z", "2023-11-14T21:13:20.000000000Z"
    )
    assert (status.storage.segments, status.storage.compressed) == (4, 1)
    assert status.storage.disk_stage is DiskStage.OK
    assert look(Reading(str(tmp_path)), ROOMY, now_ns=NOW_NS).daemon is None


def test_a_ledger_that_stopped_and_a_full_disk_are_bad_news(tmp_path: Path) -> None:
    stopped = LedgerStopped(source=Source.DAEMON, reason="disk_full", free_bytes=0)
    write(tmp_path, (1, stopped)).close()
    tight = Configuration(disk_stop_free_bytes=1 << 50)

    status = look(Reading(str(tmp_path)), tight, now_ns=NOW_NS)

    assert status.storage.stopped
    assert status.storage.disk_stage is DiskStage.STOP
    assert len(status.worries) == 2


@pytest.mark.parametrize("hours", [1, 1000])
def test_the_exit_status_says_whether_there_is_bad_news(
    nsledger: Nsledger, tmp_path: Path, hours: int
) -> None:
    spool = tmp_path / "spool"
    (tmp_path / "nsledger.toml").write_text(f'spool = "{spool}"\ndisk_warn_free_bytes = 0\n')
    (spool / "quarantine").mkdir(parents=True)
    if hours == 1:
        (spool / "quarantine" / "unreadable-1-2").touch()
    write(tmp_path / "ledger", (hours, recording.event("end"))).close()

    done = nsledger(
        "status",
        *("--config", str(tmp_path / "nsledger.toml")),
        *("--ledger", str(tmp_path / "ledger"), "-o", "json"),
    )

    assert done.code == (1 if hours == 1 else 0)
    assert json.loads(done.out)["spool"]["waiting"] == 0
    assert json.loads(done.out)["ledger_id"] == recording.LEDGER_ID


def listening(directory: Path) -> tuple[socket.socket, Configuration]:
    """A socket on which nobody answers, as that of a daemon that was stopped (SIGSTOP)."""
    path = f"{directory}/cri.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    return server, msgspec.structs.replace(ROOMY, listen=path, ledger=f"{directory}/ledger")


def test_a_daemon_that_does_not_relay_is_not_good(tmp_path: Path) -> None:
    server, configuration = listening(tmp_path)
    writer = write(tmp_path / "ledger", (1, recording.event("a")))

    stopped = look(Reading(configuration.ledger), configuration, now_ns=NOW_NS)
    server.close()
    gone = look(Reading(configuration.ledger), configuration, now_ns=NOW_NS)
    elsewhere = look(Reading(configuration.ledger), ROOMY, now_ns=NOW_NS)
    writer.close()

    assert stopped.daemon is not None
    assert stopped.daemon.unanswered == "Version: the runtime answered DEADLINE_EXCEEDED"
    assert gone.daemon is not None
    assert gone.daemon.unanswered == "Version: the runtime answered UNAVAILABLE"
    assert stopped.worries == gone.worries == ["the daemon does not relay"]
    assert elsewhere.daemon is not None
    assert (elsewhere.daemon.unanswered, elsewhere.worries) == (None, [])


def test_before_its_ledger_is_opened_a_daemon_is_starting(
    tmp_path: Path, nsledger: Nsledger
) -> None:
    configuration = tmp_path / "nsledger.toml"
    configuration.write_text(
        f"listen = '{tmp_path}/cri.sock'\nledger = '{tmp_path}/ledger'\n", encoding="ascii"
    )
    asked = ["status", "--config", str(configuration), "--ledger", f"{tmp_path}/ledger"]

    nobody = nsledger(*asked)
    with open(tmp_path / "cri.sock.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        starting = nsledger(*asked)

    assert nobody.code != 0
    assert "starting" not in nobody.out
    assert "starting: the daemon has not opened it yet" in starting.out
