from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.auditor.exit_watch import ExitWatch
from nsledger.auditor.jobs import Asked, Exited
from nsledger.cri.methods import Method
from nsledger.cri.status import ContainerState
from nsledger.cri.watched_requests import StopContainer
from nsledger.model.events import ContainerStopped, DatedBy, Ending, PodStopped, Source
from nsledger.model.namespaces import NamespaceReading
from nsledger.model.record import rfc3339
from nsledger.proc.host import boot_id
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import NodeClock
from tests.processes import sleeping
from tests.unit.auditor.listing_runtime import ListingRuntime, one_pod, until
from tests.unit.auditor.node_in_a_box import FakeCall, box, only

NEVER_S = 3600.0
SOON_S = 20.0


@pytest.fixture
def told() -> queue.SimpleQueue[Exited]:
    return queue.SimpleQueue()


@pytest.fixture
def watch(told: queue.SimpleQueue[Exited]) -> Iterator[ExitWatch]:
    watch = ExitWatch(told.put, clock=NodeClock(boot_id()))
    watch.start()
    yield watch
    watch.close(SOON_S)


def test_the_end_of_a_process_is_told_within_a_moment(
    watch: ExitWatch, told: queue.SimpleQueue[Exited]
) -> None:
    with sleeping() as process:
        watch.add("c1", read_namespaces(process.pid))
        watch.add("c1", read_namespaces(process.pid))
        assert len(watch) == 1
        before_ns = time.time_ns()
        process.kill()
        process.wait()
        ended = told.get(timeout=SOON_S)

    assert ended.id == "c1"
    assert ended.at is not None
    assert before_ns <= ended.at.time_ns <= before_ns + 10**9
    assert len(watch) == 0
    assert told.empty()


def test_of_a_process_that_had_ended_nobody_says_when(
    watch: ExitWatch, told: queue.SimpleQueue[Exited]
) -> None:
    with sleeping() as process:
        reading = read_namespaces(process.pid)
    somebody_else = NamespaceReading(pid=os.getpid(), start_ticks=1)

    watch.add("gone", reading)
    watch.add("other", somebody_else)

    assert {told.get(timeout=SOON_S) for _ in range(2)} == {
        Exited("gone", None),
        Exited("other", None),
    }


def test_what_cannot_be_watched_is_left_to_others(watch: ExitWatch) -> None:
    watch.add("c1", None)
    watch.add("c2", NamespaceReading(pid=os.getpid()))
    watch.close(SOON_S)
    watch.add("c3", read_namespaces(os.getpid()))

    assert len(watch) == 0


def ended_by_itself(
    tmp_path: Path, there: ListingRuntime, finished_ns: int | None
) -> ContainerStopped:
    """What is on record of a container that ended without a round of reconciliation after it."""
    with sleeping() as app:
        there.containers["c1"].pid = app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=NEVER_S, exits=True) as node:
            until(lambda: node.reconciliation.rounds > 0)
            app.kill()
            app.wait()
            there.containers["c1"].state = ContainerState.EXITED
            there.containers["c1"].finished_ns = finished_ns
            pod = node.node_state.workloads.pods["s1"]
            until(lambda: pod.containers["c1"].ended)
            return only(ContainerStopped, node.finish())


def test_a_container_that_ends_by_itself_is_dated_by_the_runtime(tmp_path: Path) -> None:
    soon_ns = time.time_ns() + 10**9

    stopped = ended_by_itself(tmp_path, one_pod(), soon_ns)

    assert (stopped.ending, stopped.source) == (Ending.EXITED, Source.RECONCILE)
    assert (stopped.ended_at, stopped.dated_by) == (rfc3339(soon_ns), DatedBy.RUNTIME)


def test_or_else_by_the_kernel(tmp_path: Path) -> None:
    stopped = ended_by_itself(tmp_path, one_pod(), None)

    assert stopped.ended_at
    assert stopped.dated_by is DatedBy.KERNEL


def test_a_process_that_the_runtime_goes_on_to_call_running_is_gone(tmp_path: Path) -> None:
    there = one_pod()
    with sleeping() as pause:
        there.sandboxes["s1"].pid = pause.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=NEVER_S, exits=True) as node:
            until(lambda: node.reconciliation.rounds > 0)
            pause.kill()
            pause.wait()
            pod = node.node_state.workloads.pods["s1"]
            until(lambda: pod.sandbox_ended)
            stopped = only(PodStopped, node.finish())

    assert (stopped.ending, stopped.dated_by) == (Ending.PROCESS_GONE, DatedBy.KERNEL)
    assert not pod.ended


def test_while_a_call_ends_it_the_answer_of_that_call_tells(tmp_path: Path) -> None:
    there = one_pod()
    with sleeping() as app:
        there.containers["c1"].pid = app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=NEVER_S, exits=True) as node:
            until(lambda: node.reconciliation.rounds > 0)
            call = FakeCall(Method.STOP_CONTAINER, 1)
            asked = Asked(Method.STOP_CONTAINER, StopContainer(container_id="c1"))
            node.in_flight.begin(call, asked)
            app.kill()
            app.wait()
            there.containers["c1"].state = ContainerState.EXITED
            time.sleep(0.6)
            assert not node.node_state.workloads.pods["s1"].containers["c1"].ended
            node.in_flight.end(call)
            until(lambda: node.node_state.workloads.pods["s1"].containers["c1"].ended)
            assert node.reconciliation.rounds == 1
