from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nsledger.auditor.jobs import Learn
from nsledger.auditor.reconcile import CALLS_PER_S
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.cri.status import ContainerState
from nsledger.model.events import ContainerAssigned, ContainerStarted, Gap, PodAssigned, Source
from nsledger.model.namespaces import NamespaceType
from nsledger.model.record import Moment
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from tests.unit.auditor.listing_runtime import (
    INTERVAL_S,
    ListingRuntime,
    ThatContainer,
    ThatSandbox,
    adopt,
    one_pod,
    rounds,
    told,
    until,
)
from tests.unit.auditor.node_in_a_box import (
    FakeCall,
    answered,
    asked,
    box,
    only,
    run_pod_sandbox,
    sandbox_answer,
)


def test_what_was_there_before_is_found_and_marked(tmp_path: Path) -> None:
    with box(tmp_path, runtime=one_pod(), reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        on_record = told(node.finish())

    assert [type(event) for event in on_record] == [
        PodAssigned,
        ContainerAssigned,
        ContainerStarted,
    ]
    assert {event.source for event in on_record} == {Source.RECONCILE}
    started = only(ContainerStarted, on_record)
    assert started.pod.full_name == "shop/pod-s1"
    assert started.actual == read_namespaces(os.getpid())
    assert started.judgements[NamespaceType.NET].sharing == "host"


def test_the_first_look_does_not_say_that_nothing_was_there_before_and_later_ones_do(
    tmp_path: Path,
) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        there.sandboxes["s2"] = ThatSandbox()
        rounds(node)
        on_record = node.finish()

    first, second = (event for event in on_record if isinstance(event, PodAssigned))
    assert (first.pod.pod_sandbox_id, first.not_before) == ("s1", "")
    assert (second.pod.pod_sandbox_id, second.not_before[:4]) == ("s2", "2026")


def test_a_round_that_finds_nothing_new_records_nothing(tmp_path: Path) -> None:
    with box(tmp_path, runtime=one_pod(), reconcile_interval_s=INTERVAL_S) as node:
        rounds(node, 5)
        on_record = told(node.finish())

    assert len(on_record) == 3


def test_without_an_interval_the_runtime_is_never_asked(tmp_path: Path) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there) as node:
        time.sleep(0.1)
        node.finish()

    assert there.asked == []


def test_a_restart_records_nothing_twice(tmp_path: Path) -> None:
    there = one_pod()
    there.sandboxes["vm"] = ThatSandbox(pid=None, runtime_type="io.containerd.kata.v2")
    there.containers["in-vm"] = ThatContainer("vm", pid=None, runtime_type="io.containerd.kata.v2")
    there.containers["created"] = ThatContainer("s1", pid=None, state=ContainerState.CREATED)
    there.containers["exited"] = ThatContainer("s1", pid=None, state=ContainerState.EXITED)
    for _ in range(2):
        with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
            rounds(node)
            on_record = told(node.finish())

    kinds = [type(event).__name__ for event in on_record]
    assert sorted(kinds) == [
        *["ContainerAssigned"] * 4,
        *["ContainerStarted"] * 2,
        "ContainerStopped",
        *["PodAssigned"] * 2,
    ]


def test_after_a_restart_a_known_sandbox_can_be_joined_at_once(tmp_path: Path) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there) as node:
        adopt(node, actual=read_namespaces(os.getpid()))
    with box(tmp_path, runtime=there, reconcile_interval_s=3600) as node:
        until(lambda: node.follow_up.known("s1") is not None)
        known = node.follow_up.known("s1")

    assert known is not None
    assert known.pid == os.getpid()


def test_nothing_is_looked_for_while_another_process_hands_over(tmp_path: Path) -> None:
    there = one_pod()
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S, alone=False) as node:
        time.sleep(0.2)
        node.finish()

    assert there.asked == []


def test_what_another_process_put_on_record_is_no_find(tmp_path: Path) -> None:
    there = one_pod()
    pod = PodRef(pod_sandbox_id="s1", name="pod-s1", k8s_namespace="shop")
    ref, own = ContainerRef(container_id="c1"), read_namespaces(os.getpid())
    told_before = (
        PodAssigned(source=Source.CRI_PROXY, pod=pod, actual=own),
        ContainerStarted(source=Source.CRI_PROXY, pod=pod, container=ref, actual=own),
    )
    with box(tmp_path, runtime=ListingRuntime(), reconcile_interval_s=INTERVAL_S) as node:
        for event in told_before:
            node.follow_up.put(Learn(event, Moment(1, 1, "boot")))
        until(lambda: set(node.node_state.known) == {"s1", "c1"})
        assert isinstance(node.runtime, ListingRuntime)
        node.runtime.sandboxes.update(there.sandboxes)
        node.runtime.containers.update(there.containers)
        rounds(node)
        assert told(node.finish()) == []


def test_what_a_call_under_way_is_about_is_left_to_its_answer(tmp_path: Path) -> None:
    there = one_pod()
    call = FakeCall(Method.START_CONTAINER)
    request = b"\x0a\x02c1"
    there.containers["c1"].state = ContainerState.CREATED
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        node.in_flight.begin(call, asked(Method.START_CONTAINER, request))
        there.containers["c1"].state = ContainerState.RUNNING
        rounds(node, 2)
        answered(node, Method.START_CONTAINER, request)
        node.in_flight.end(call)
        rounds(node)
        on_record = node.finish()

    assert only(ContainerStarted, on_record).source is Source.CRI_PROXY


def test_a_pod_that_is_being_run_is_no_find(tmp_path: Path) -> None:
    there = one_pod()
    there.containers.clear()
    call = FakeCall(Method.RUN_POD_SANDBOX)
    with box(tmp_path, runtime=ListingRuntime(), reconcile_interval_s=INTERVAL_S) as node:
        node.in_flight.begin(call, asked(Method.RUN_POD_SANDBOX, pod_request("pod-s1")))
        assert isinstance(node.runtime, ListingRuntime)
        node.runtime.sandboxes["s1"] = ThatSandbox()
        rounds(node, 2)
        answered(node, Method.RUN_POD_SANDBOX, pod_request("pod-s1"), sandbox_answer())
        node.in_flight.end(call)
        rounds(node)
        on_record = node.finish()

    assert only(PodAssigned, on_record).source is Source.CRI_PROXY


def pod_request(name: str) -> bytes:
    request = pb.RunPodSandboxRequest.FromString(run_pod_sandbox())
    request.config.metadata.name = name
    request.config.metadata.uid = ""
    return request.SerializeToString()


def test_what_comes_while_the_lists_are_made_is_not_missing_from_them(tmp_path: Path) -> None:
    there = ListingRuntime()
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:

        def a_pod_starts() -> None:
            there.meanwhile = lambda: None
            there.sandboxes["s1"] = ThatSandbox()
            pod = PodRef(pod_sandbox_id="s1")
            node.observer.look_at_sandbox(pod, source=Source.CRI_PROXY)
            there.containers["c1"] = ThatContainer("s1", pid=None)
            node.observer.look_at_started("c1", source=Source.CRI_PROXY)
            there.asked.clear()

        there.meanwhile = a_pod_starts
        until(lambda: "c1" in node.node_state.known)
        rounds(node)

        assert set(there.asked) == {"sandboxes", "containers"}


def test_a_list_that_leaves_something_out_is_not_believed(tmp_path: Path) -> None:
    there = ListingRuntime(
        sandboxes={"s1": ThatSandbox(pid=None)}, containers={"c1": ThatContainer("s1", pid=None)}
    )
    with box(tmp_path, runtime=there, reconcile_interval_s=INTERVAL_S) as node:
        rounds(node)
        there.unlisted.update({"s1", "c1"})
        rounds(node)
        on_record = told(node.finish())

    assert len(on_record) == 3


def test_a_runtime_that_gives_no_lists_is_a_gap_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsledger.auditor.reconcile._RETRY_S", 0.05)
    there = one_pod()
    there.unavailable = True
    with box(tmp_path, runtime=there, reconcile_interval_s=3600) as node:
        until(lambda: len(there.asked) >= 2)
        there.unavailable = False
        until(lambda: node.reconciliation.rounds == 1)
        on_record = node.finish()

    assert only(PodAssigned, on_record).source is Source.RECONCILE
    assert {event.reason for event in on_record if isinstance(event, Gap)} == {"status_unavailable"}


def test_the_runtime_is_asked_no_faster_than_the_limit(tmp_path: Path) -> None:
    there = ListingRuntime(sandboxes={f"s{number}": ThatSandbox() for number in range(20)})
    began_s = time.monotonic()
    with box(tmp_path, runtime=there, reconcile_interval_s=3600) as node:
        until(lambda: node.reconciliation.rounds == 1)
        took_s = time.monotonic() - began_s
        node.finish()

    assert len(there.asked) == 22
    assert took_s >= 20 / CALLS_PER_S
