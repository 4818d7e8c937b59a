from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nsledger.cri.status import ContainerState
from nsledger.model.events import (
    ContainerAssigned,
    ContainerRemoved,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    Ending,
    Gap,
    NamespaceChanged,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    Source,
)
from nsledger.model.judgement import Rule, Verdict
from nsledger.model.namespaces import (
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from tests.processes import sleeping
from tests.unit.auditor.listing_runtime import (
    INTERVAL_S,
    ListingRuntime,
    ThatContainer,
    ThatSandbox,
    adopt,
    one_pod,
    rounds,
    told,
)
from tests.unit.auditor.node_in_a_box import (
    box,
    only,
)


def test_a_container_that_ended_by_itself_is_found_ended(tmp_path: Path) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        there.containers["c1"].state = ContainerState.EXITED
        rounds(node)
        on_record = node.finish()

    stopped = only(ContainerStopped, on_record)
    assert (stopped.ending, stopped.source) == (Ending.EXITED, Source.RECONCILE)
    assert stopped.container.name == "name-c1"
    assert stopped.not_before


def test_a_sandbox_that_ended_by_itself_is_found_ended(tmp_path: Path) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        there.sandboxes["s1"].ready = False
        rounds(node)
        on_record = node.finish()

    assert only(PodStopped, on_record).ending is Ending.EXITED


def test_what_the_runtime_no_longer_has_vanished_and_is_forgotten(tmp_path: Path) -> None:
    there = one_pod()
    with sleeping() as pause, sleeping() as app:
        there.sandboxes["s1"].pid, there.containers["c1"].pid = pause.pid, app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            rounds(node)
            for process in (pause, app):
                process.kill()
                process.wait()
            there.sandboxes.clear()
            there.containers.clear()
            rounds(node)
            on_record = told(node.finish())

    assert [type(event) for event in on_record[3:]] == [
        ContainerStopped,
        ContainerRemoved,
        PodStopped,
        PodRemoved,
    ]
    assert only(ContainerStopped, on_record).ending is Ending.VANISHED
    assert only(PodStopped, on_record).ending is Ending.VANISHED
    assert not node.node_state.workloads.pods
    assert not node.node_state.known
    assert not [event for event in on_record if isinstance(event, Gap)]


def test_what_is_not_listed_but_runs_is_left_alone(tmp_path: Path) -> None:
    """The hook may serve other engines than the runtime that is asked."""
    with box(tmp_path, runtime=ListingRuntime(), reconcile_interval_s=INTERVAL_S) as node:
        node.node_state.record(
            ContainerWitnessed(
                source=Source.OCI_HOOK,
                pod=PodRef(),
                container=ContainerRef(container_id="elsewhere"),
                stage="createRuntime",
                actual=read_namespaces(os.getpid()),
            )
        )
        rounds(node)
        on_record = told(node.finish())

    assert [type(event) for event in on_record] == [ContainerWitnessed]


def test_a_process_that_is_gone_while_the_runtime_says_it_runs_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsledger.auditor.reconcile._SECOND_LOOK_S", 0.05)
    there = one_pod()
    with sleeping() as app:
        there.containers["c1"].pid = app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            rounds(node)
            app.kill()
            app.wait()
            rounds(node)
            on_record = node.finish()

    assert only(ContainerStopped, on_record).ending is Ending.PROCESS_GONE


def test_a_runtime_is_given_time_to_notice_that_a_process_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsledger.auditor.reconcile._SECOND_LOOK_S", 0.5)
    there = one_pod()
    with sleeping() as app:
        there.containers["c1"].pid = app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            rounds(node)
            app.kill()
            app.wait()
            time.sleep(0.1)
            there.containers["c1"].state = ContainerState.EXITED
            rounds(node)
            on_record = node.finish()

    assert only(ContainerStopped, on_record).ending is Ending.EXITED


@pytest.mark.root
def test_a_process_in_other_namespaces_than_before_is_found_once(tmp_path: Path) -> None:
    there = one_pod()
    with sleeping("unshare --uts") as app:
        now = read_namespaces(app.pid)
        then = NamespaceReading(
            pid=app.pid,
            start_ticks=now.start_ticks,
            namespaces=read_namespaces(os.getpid()).namespaces,
        )
        with box(tmp_path, runtime=there) as node:
            adopt(node, actual=then)
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            there.containers["c1"].pid = app.pid
            rounds(node, 3)
            on_record = node.finish()

    changed = only(NamespaceChanged, on_record)
    assert changed.changed == (NamespaceType.UTS,)
    assert changed.container == ContainerRef(container_id="c1", name="name-c1")
    assert changed.actual == now


def test_a_container_in_a_virtual_machine_is_unobservable_and_says_why(tmp_path: Path) -> None:
    there = ListingRuntime(
        sandboxes={"s1": ThatSandbox(runtime_type="io.containerd.kata.v2")},
        containers={"c1": ThatContainer("s1", runtime_type="io.containerd.kata.v2")},
    )
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        on_record = node.finish()

    started, pod = only(ContainerStarted, on_record), only(PodAssigned, on_record)
    assert started.unobservable == pod.unobservable == "sandboxed by io.containerd.kata.v2"
    assert (started.actual, started.judgements, pod.actual) == (None, {}, None)


def test_a_container_without_a_host_pid_is_unobservable_and_says_why(tmp_path: Path) -> None:
    there = ListingRuntime(
        sandboxes={"s1": ThatSandbox(pid=None)}, containers={"c1": ThatContainer("s1", pid=None)}
    )
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node, 2)
        on_record = node.finish()

    assert only(ContainerStarted, on_record).unobservable == "no host pid"
    assert only(PodAssigned, on_record).unobservable == "no host pid"


def test_what_the_runtime_repeats_of_a_request_is_on_record_with_a_find(tmp_path: Path) -> None:
    hosts = RequestedNamespaces(net=NamespaceMode.NODE)
    there = one_pod()
    there.sandboxes["s1"].requested = there.containers["c1"].requested = hosts
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        on_record = node.finish()

    assert only(PodAssigned, on_record).requested == hosts
    assert only(ContainerAssigned, on_record).requested == hosts
    judged = only(ContainerStarted, on_record).judgements[NamespaceType.NET]
    assert (judged.verdict, judged.rule) == (Verdict.MATCH, Rule.REQUESTED_NODE)


def test_a_request_that_was_seen_is_not_put_on_record_again(tmp_path: Path) -> None:
    there = one_pod()
    there.sandboxes["s1"].requested = RequestedNamespaces(net=NamespaceMode.NODE)
    asked = PodRequested(
        source=Source.CRI_PROXY, audit_id="a1", pod=PodRef(), requested=RequestedNamespaces()
    )
    with box(tmp_path, runtime=there) as node:
        node.node_state.workloads.apply(asked)
        pod = PodRef(pod_sandbox_id="s1")
        node.observer.look_at_sandbox(pod, source=Source.CRI_PROXY, audit_id="a1")
        on_record = node.finish()

    assert only(PodAssigned, on_record).requested is None


def test_when_only_the_pause_process_dies_its_container_runs_on(tmp_path: Path) -> None:
    there = one_pod()
    with sleeping() as pause, sleeping() as app:
        there.sandboxes["s1"].pid, there.containers["c1"].pid = pause.pid, app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            rounds(node)
            pause.kill()
            pause.wait()
            there.sandboxes["s1"].ready = False
            rounds(node, 2)
            pod = node.node_state.workloads.pods["s1"]
            on_record = node.finish()

    assert only(PodStopped, on_record).ending is Ending.EXITED
    assert not [one for one in on_record if isinstance(one, ContainerStopped)]
    assert (pod.sandbox_ended, pod.ended) == (True, False)


def test_a_sandbox_that_is_gone_is_not_removed_while_its_container_runs(tmp_path: Path) -> None:
    there = one_pod()
    with sleeping() as pause, sleeping() as app:
        there.sandboxes["s1"].pid, there.containers["c1"].pid = pause.pid, app.pid
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            rounds(node)
            pause.kill()
            pause.wait()
            del there.sandboxes["s1"]
            rounds(node, 2)
            on_record = node.finish()

    assert only(PodStopped, on_record).ending is Ending.VANISHED
    assert not [one for one in on_record if isinstance(one, PodRemoved | ContainerStopped)]


def test_what_was_wrongly_put_on_record_as_ended_is_found_running(tmp_path: Path) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        node.drift_recorder.ended_container("c1")
        node.drift_recorder.ended_sandbox("s1")
        rounds(node, 2)
        pod = node.node_state.workloads.pods["s1"]
        on_record = node.finish()

    healed = [one for one in on_record if getattr(one, "still_running", False)]
    assert [type(one) for one in healed] == [PodAssigned, ContainerStarted]
    assert pod.containers["c1"].running
    assert not pod.sandbox_ended
