"""The time when nobody watched, as real daemons leave it: to the millisecond, with the reason."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from nsledger.model.events import UNCLEAN_STOP, DaemonStarted, DaemonStopped, Gap
from nsledger.model.instants import unix_ns
from nsledger.model.record import rfc3339
from tests import programs
from tests.integration.fake_runtime import FakeRuntime
from tests.integration.relaying import channel
from tests.serving import RUN_POD_SANDBOX, Daemon, cri_runtime, run_pod_sandbox

LOW = {"disk_warn_free_bytes": 1 << 50}
LOWER = {**LOW, "disk_prune_free_bytes": 1 << 49}


@pytest.fixture
def runtime(room: str) -> Iterator[FakeRuntime]:
    with cri_runtime(f"{room}/runtime.sock") as runtime:
        yield runtime


def asked(daemon: Daemon, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(
        [*programs.COMMAND, *arguments, "-o", "json"],
        env=programs.environment(daemon.ledger),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return json.loads(done.stdout)


def unwatched(daemon: Daemon) -> list[dict[str, Any]]:
    return [one for one in asked(daemon, "findings") if one["kind"] == "unwatched"]


@pytest.mark.parametrize("disk", [{}, LOW, LOWER], ids=["room", "low", "lower"])
def test_between_stop_and_start_nobody_watched_whatever_the_disk(
    room: str, runtime: FakeRuntime, disk: dict[str, int]
) -> None:
    with Daemon(room, runtime.path, **disk) as daemon:
        with channel(daemon.socket) as opened:
            opened.unary(RUN_POD_SANDBOX)(run_pod_sandbox("web"), timeout=30)
        daemon.wait_for("a pod", lambda: "pod.assigned" in words(daemon))
        assert unwatched(daemon) == []
        assert daemon.stop() == 0
        daemon.start()
        daemon.wait_for("a start", lambda: words(daemon).count("daemon.started") == 2)
        records = daemon.records()
        stopped = next(one for one in records if isinstance(one.event, DaemonStopped))
        started = [one for one in records if isinstance(one.event, DaemonStarted)][-1]

        (found,) = unwatched(daemon)
        middle = rfc3339((unix_ns(stopped.time) + unix_ns(started.time)) // 2)
        shown = asked(daemon, "show", "shop/web", "--at", middle)

    assert (found["first_time"], found["last_time"]) == (stopped.time, started.time)
    assert found["summary"] == "nobody watched: nsledger serve was stopped"
    assert [(one["since"], one["until"]) for one in shown["unwatched"]] == [
        (stopped.time, started.time)
    ]


def test_a_hand_over_is_no_unclean_stop(room: str, runtime: FakeRuntime) -> None:
    with Daemon(room, runtime.path) as daemon:
        for _ in range(5):
            before = daemon.take_over()
            assert before.wait(30) == 0
        daemon.stop()
        daemon.start()
        daemon.wait_for("a start", lambda: words(daemon).count("daemon.started") == 7)
        gaps = [one.event for one in daemon.records() if isinstance(one.event, Gap)]
        (found,) = unwatched(daemon)

    assert [gap for gap in gaps if gap.reason == UNCLEAN_STOP] == []
    assert found["summary"] == "nobody watched: nsledger serve was stopped"


def words(daemon: Daemon) -> list[str]:
    return [str(one.event.__struct_config__.tag) for one in daemon.records()]
