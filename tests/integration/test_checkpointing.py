"""`nsledger serve` with a key: what it signs convicts the ledger that was changed since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import generate
from tests import programs
from tests.integration.fake_runtime import FakeRuntime
from tests.serving import Daemon, cri_runtime


@pytest.fixture
def runtime(room: str) -> Iterator[FakeRuntime]:
    with cri_runtime(f"{room}/runtime.sock") as runtime:
        yield runtime


def daemon_of(room: str) -> Daemon:
    return Daemon(
        room,
        f"{room}/runtime.sock",
        checkpoint_key=f"{room}/key",
        checkpoint_file=f"{room}/checkpoints",
    )


def run_once(daemon: Daemon) -> None:
    with daemon:
        assert daemon.stop() == 0


def verified(room: str, checkpoints: Path) -> tuple[int, dict[str, object]]:
    ledger = Path(room) / "ledger"
    arguments = [
        "verify",
        "-o",
        "json",
        "--checkpoint",
        str(checkpoints),
        "--key",
        f"{room}/key.pub",
    ]
    code, out = programs.run(arguments, programs.environment(ledger))
    return code, json.loads(out)


def test_a_daemon_signs_its_last_record_into_file_and_log(room: str, runtime: FakeRuntime) -> None:
    generate(f"{room}/key")
    daemon = daemon_of(room)
    run_once(daemon)

    signed = checkpoint_file.read(f"{room}/checkpoints")
    logged = [
        Checkpoint.parse(entry["checkpoint"])
        for entry in map(json.loads, daemon.log.read_text().splitlines())
        if entry["event"] == "checkpoint.written"
    ]
    assert tuple(logged) == signed
    code, told = verified(room, Path(room) / "checkpoints")
    assert (code, told["signed_through"]) == (0, signed[-1].head.seq)
    assert told["trusted_through"] == signed[-1].head.seq


def test_the_daemons_log_has_them_at_every_level_and_convicts_as_it_is(
    room: str, runtime: FakeRuntime
) -> None:
    generate(f"{room}/key")
    daemon = daemon_of(room)
    daemon.told["log_level"] = "error"
    process = daemon.spawn()
    daemon.wait_for("signing", (Path(room) / "checkpoints").exists, process)
    assert daemon.stop() == 0

    code, told = verified(room, daemon.log)

    signed = checkpoint_file.read(f"{room}/checkpoints")
    assert (code, told["signed_through"]) == (0, signed[-1].head.seq)


def test_an_older_copy_under_a_new_daemon_is_convicted_by_what_was_carried_away(
    room: str, runtime: FakeRuntime
) -> None:
    generate(f"{room}/key")
    daemon = daemon_of(room)
    run_once(daemon)
    shutil.copytree(daemon.ledger, f"{room}/older")
    run_once(daemon)
    carried_away = Path(room) / "elsewhere"
    shutil.copy(f"{room}/checkpoints", carried_away)
    assert verified(room, carried_away)[0] == 0

    shutil.rmtree(daemon.ledger)
    shutil.copytree(f"{room}/older", daemon.ledger)
    for _ in range(2):
        run_once(daemon)

    code, told = verified(room, carried_away)
    assert code == 1
    damage = told["damage"]
    assert isinstance(damage, dict)
    assert damage["kind"] == "rewritten"


def test_without_a_key_a_daemon_serves_and_signs_nothing(room: str, runtime: FakeRuntime) -> None:
    daemon = daemon_of(room)
    run_once(daemon)

    assert "checkpoint.turned_off" in daemon.log.read_text()
    assert not (Path(room) / "checkpoints").exists()
