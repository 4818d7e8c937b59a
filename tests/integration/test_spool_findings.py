"""What the spool does not take in is a finding, and so is what found no room in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.integration.fake_runtime import FakeRuntime
from tests.serving import Daemon, cri_runtime


@pytest.fixture
def runtime(room: str) -> Iterator[FakeRuntime]:
    with cri_runtime(f"{room}/runtime.sock") as runtime:
        yield runtime


def findings(daemon: Daemon) -> dict[str, dict[str, Any]]:
    """Of `nsledger findings`, those of the spool, by what each says."""
    _, out = programs.run(["findings", "-o", "json"], programs.environment(daemon.ledger))
    return {
        one["summary"]: one
        for one in json.loads(out)
        if "spool" in one["kind"] or "spool" in one["summary"]
    }


def test_a_hostile_spool_is_cleared_and_told_of(room: str, runtime: FakeRuntime) -> None:
    spool = Path(room) / "spool"
    spool.mkdir(mode=0o700)
    (spool / "bad.json").write_text("{")
    (spool / "red\x1b[31m.json").write_text("{")
    (spool / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(spool / "fifo.json", 0o600)
    (spool / "core.4711").touch(mode=0o600)
    (spool / "missed").touch(mode=0o600)
    (spool / "missed").write_bytes(b"." * 7)
    told = {
        "2 set aside in the spool: unreadable",
        "2 set aside in the spool: not_a_file",
        "1 set aside in the spool: strange_name",
        "7 missed: hook_found_spool_full",
    }

    with Daemon(room, f"{room}/runtime.sock") as daemon:
        daemon.wait_for(
            "telling", lambda: told <= findings(daemon).keys(), daemon.running[-1], limit_s=30
        )
        found = findings(daemon)
        assert daemon.stop() == 0

    assert found.keys() == told
    assert {one["kind"] for one in found.values()} == {"spool_quarantined", "gap"}
    assert sorted(os.listdir(spool)) == ["quarantine"]
    assert all(one["remedy"] and one["records"] for one in found.values())
