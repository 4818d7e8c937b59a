"""The daemon is killed while requests go on that are only in memory: none of them is lost.

Whether a record was in the ledger already when SIGKILL came is a matter of milliseconds, so there
are several tries; without the memory, or without looking into it, one of them misses some.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from pathlib import Path

import grpc
import pytest

from nsledger.ledger.verify import verify
from nsledger.model.events import PodRequested
from tests.serving import RUN_POD_SANDBOX, Daemon, cri_runtime, run_pod_sandbox

KILLS = 5
CALLERS = 4


@pytest.mark.fault
def test_no_answered_request_is_lost_and_none_is_there_twice() -> None:
    answered: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory,
        cri_runtime(f"{memory}/runtime.sock") as runtime,
    ):
        for kill in range(KILLS):
            with Daemon(memory, runtime.path) as daemon:
                answered += run_pods_until_killed(daemon, f"round-{kill}")
        with Daemon(memory, runtime.path) as daemon:
            daemon.stop()
            requested = Counter(
                record.event.pod.name
                for record in daemon.records()
                if isinstance(record.event, PodRequested)
            )
            left = [path.name for path in Path(memory).glob("ahead-*")]

        assert len(answered) > KILLS * 20
        assert [name for name in answered if requested[name] != 1] == []
        assert left == []
        verify(f"{memory}/ledger")


def run_pods_until_killed(daemon: Daemon, prefix: str) -> list[str]:
    """The names of the pods whose call was answered before the daemon was gone."""
    answered: list[str] = []

    def caller(number: int) -> None:
        with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RUN_POD_SANDBOX)
            for pod in range(10_000):
                name = f"{prefix}-{number}-{pod}"
                try:
                    call(run_pod_sandbox(name), timeout=30)
                except grpc.RpcError:
                    return
                answered.append(name)

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
    for thread in callers:
        thread.start()
    while len(answered) < CALLERS * 20 and any(thread.is_alive() for thread in callers):
        callers[0].join(0.001)
    daemon.kill()
    for thread in callers:
        thread.join()
    return answered
