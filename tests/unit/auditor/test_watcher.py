from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import pytest

from nsledger.auditor.interceptor import Policy
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import ContainerRequested, Gap, PodRequested
from nsledger.model.namespaces import NEW, NamespaceMode, NamespaceType
from nsledger.recorder.journal import WriteAhead
from nsledger.relay.h2.calls import Treatment
from tests.failing_disk import FailingDisk
from tests.unit.auditor.node_in_a_box import (
    FakeCall,
    FakeRuntime,
    box,
    container_answer,
    create_container,
    only,
    run_pod_sandbox,
    sandbox_answer,
)

SILENT = Policy(annotate=False, sync=False, fail_closed=False)
FAIL_CLOSED = Policy(annotate=True, sync=False, fail_closed=True)
NOTHING = b"\xff not a message"


def no_ledger() -> LedgerWriter:
    raise OSError(28, "No space left on device")


def until_decided(call: FakeCall) -> None:
    deadline_s = time.monotonic() + 30
    while not (call.released or call.refused) and time.monotonic() < deadline_s:
        time.sleep(0.001)


def test_only_what_creates_is_held_and_the_rest_passes(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        treatment = node.interceptor.treatment

        assert treatment(Method.RUN_POD_SANDBOX.path) is Treatment.HOLD
        assert treatment(Method.START_CONTAINER.path) is Treatment.TAP
        assert treatment("/runtime.v1.RuntimeService/ExecSync") is None
        assert treatment("/runtime.v1.ImageService/PullImage") is None


def test_a_pod_goes_on_annotated_once_its_request_is_on_record(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        call = FakeCall(Method.RUN_POD_SANDBOX)
        node.interceptor.request_held(call, run_pod_sandbox())
        until_decided(call)
        on_record = node.finish()

    annotations = pb.RunPodSandboxRequest.FromString(
        run_pod_sandbox() + call.released[0]
    ).config.annotations
    asked = next(event for event in on_record if isinstance(event, PodRequested))
    assert annotations["foreign"] == "kept"
    assert annotations["nsledger.dev/requested.net"] == "NODE"
    assert annotations["nsledger.dev/audit-id"] == asked.audit_id
    assert asked.pod.full_name == "shop/cart"
    assert asked.requested.net is NamespaceMode.NODE


def test_without_annotating_the_bytes_go_on_as_they_came(tmp_path: Path) -> None:
    with box(tmp_path, policy=SILENT) as node:
        call = FakeCall(Method.RUN_POD_SANDBOX)
        node.interceptor.request_held(call, run_pod_sandbox())
        until_decided(call)
        on_record = node.finish()

    assert call.released == [b""]
    assert any(isinstance(event, PodRequested) for event in on_record)


def test_a_container_of_an_unknown_sandbox_waits_until_it_was_looked_up(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        call = FakeCall(Method.CREATE_CONTAINER)
        node.interceptor.request_held(call, create_container())
        until_decided(call)
        on_record = node.finish()

    assert node.runtime.asked == ["s1"]
    asked = next(event for event in on_record if isinstance(event, ContainerRequested))
    pid = node.runtime.pid
    assert asked.predicted[NamespaceType.NET] == f"/proc/{pid}/ns/net"
    assert asked.predicted[NamespaceType.PID] == NEW
    created = pb.CreateContainerRequest.FromString(create_container() + call.released[0])
    assert created.config.annotations["nsledger.dev/ns.net"] == f"/proc/{pid}/ns/net"
    assert created.sandbox_config.annotations["nsledger.dev/ns.user"] == "host"


def test_a_container_goes_on_even_if_its_sandbox_cannot_be_looked_up(tmp_path: Path) -> None:
    with box(tmp_path, runtime=FakeRuntime(unavailable=True)) as node:
        call = FakeCall(Method.CREATE_CONTAINER)
        node.interceptor.request_held(call, create_container())
        until_decided(call)
        on_record = node.finish()

    asked = next(event for event in on_record if isinstance(event, ContainerRequested))
    assert NamespaceType.NET not in asked.predicted
    assert call.released
    assert any(isinstance(e, Gap) and e.reason == "status_unavailable" for e in on_record)


@pytest.mark.parametrize("runtime_type", ["", "io.containerd.kata.v2"])
def test_nothing_is_predicted_where_containerds_rules_may_not_hold(
    tmp_path: Path, runtime_type: str
) -> None:
    with box(tmp_path, runtime=FakeRuntime(runtime_type=runtime_type)) as node:
        call = FakeCall(Method.CREATE_CONTAINER)
        node.interceptor.request_held(call, create_container())
        until_decided(call)
        on_record = node.finish()

    assert only(ContainerRequested, on_record).predicted == {}
    created = pb.CreateContainerRequest.FromString(create_container() + call.released[0])
    assert not [key for key in created.config.annotations if key.startswith("nsledger.dev/ns.")]


def test_a_type_that_was_predicted_wrongly_is_not_predicted_again(tmp_path: Path) -> None:
    """Every type of the fake runtime's containers is the host's, whatever was predicted."""
    with box(tmp_path) as node:
        for _ in range(2):
            call = FakeCall(Method.CREATE_CONTAINER)
            node.interceptor.request_held(call, create_container())
            until_decided(call)
            node.interceptor.answered(call, container_answer(), 0)
            node.settle()
        on_record = node.finish()

    first, second = (event for event in on_record if isinstance(event, ContainerRequested))
    assert first.predicted[NamespaceType.MNT] == NEW
    assert set(second.predicted) == {NamespaceType.CGROUP, NamespaceType.TIME, NamespaceType.USER}


def test_an_undecodable_request_passes_and_is_a_gap(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        call = FakeCall(Method.RUN_POD_SANDBOX)
        node.interceptor.request_held(call, NOTHING)
        until_decided(call)
        on_record = node.finish()

    assert call.released == [b""]
    gap = next(event for event in on_record if isinstance(event, Gap))
    assert (gap.reason, gap.count) == ("undecodable", 1)
    assert "RunPodSandbox" in gap.detail


def test_a_ledger_that_cannot_be_written_lets_pods_pass(tmp_path: Path) -> None:
    with box(tmp_path, open_ledger=no_ledger) as node:
        call = FakeCall(Method.RUN_POD_SANDBOX)
        node.interceptor.request_held(call, run_pod_sandbox())
        until_decided(call)

    assert call.released
    assert not call.refused


def test_what_is_kept_ahead_waits_for_no_disk(tmp_path: Path) -> None:
    disk, hangs = FailingDisk(), threading.Event()
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/dev/shm") as memory:
        ahead = WriteAhead.create(memory, str(tmp_path / "ledger"))
        with box(tmp_path, ahead=ahead) as node:
            first, second = FakeCall(Method.RUN_POD_SANDBOX), FakeCall(Method.RUN_POD_SANDBOX)
            node.interceptor.request_held(first, run_pod_sandbox())
            until_decided(first)  # the ledger is open now
            disk.waits(hangs.wait)

            node.interceptor.request_held(second, run_pod_sandbox())

            decided = len(second.released)
            hangs.set()
            disk.works()
            on_record = node.finish()
    assert decided == 1
    assert sum(isinstance(event, PodRequested) for event in on_record) == 2


def test_fail_closed_refuses_what_cannot_be_recorded(tmp_path: Path) -> None:
    with box(tmp_path, policy=FAIL_CLOSED, open_ledger=no_ledger) as node:
        unwritten, undecodable = FakeCall(Method.RUN_POD_SANDBOX), FakeCall(Method.RUN_POD_SANDBOX)
        node.interceptor.request_held(unwritten, run_pod_sandbox())
        node.interceptor.request_held(undecodable, NOTHING)
        until_decided(unwritten)

    assert unwritten.refused
    assert undecodable.refused
    assert not unwritten.released


def test_what_the_relay_overlooked_is_a_gap_by_method(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        node.interceptor.overlooked("oversized", Method.CREATE_CONTAINER.path)
        on_record = node.finish()

    gap = next(event for event in on_record if isinstance(event, Gap))
    assert (gap.reason, gap.detail) == ("oversized", "CreateContainer")


def test_no_finished_call_is_remembered(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        call = FakeCall(Method.RUN_POD_SANDBOX)
        node.interceptor.request_held(call, run_pod_sandbox())
        until_decided(call)
        node.interceptor.answered(call, sandbox_answer(), 0)

        assert not len(node.in_flight)


def test_restore_pod_is_recorded_like_a_pod_that_is_run(tmp_path: Path) -> None:
    request = pb.RestorePodRequest()
    request.config.metadata.name = "back"
    request.container_configs.add().metadata.name = "app"
    with box(tmp_path) as node:
        call = FakeCall(Method.RESTORE_POD)
        node.interceptor.request_seen(call, request.SerializeToString())
        answer = pb.RestorePodResponse(pod_sandbox_id="s1").SerializeToString()
        node.interceptor.answered(call, answer, 0)
        on_record = node.finish()

    asked = next(event for event in on_record if isinstance(event, PodRequested))
    assert (asked.method, asked.pod.name) == ("RestorePod", "back")
    assert [type(event).__name__ for event in on_record] == [
        "PodRequested",
        "ContainerRequested",
        "PodAssigned",
    ]


def test_nothing_of_a_request_is_kept_for_its_answer_but_what_was_read_of_it(
    tmp_path: Path,
) -> None:
    request = pb.CreateContainerRequest.FromString(create_container())
    request.config.annotations["password-file"] = "planted-secret"
    with box(tmp_path) as node:
        call = FakeCall(Method.CREATE_CONTAINER)
        node.interceptor.request_held(call, request.SerializeToString())
        until_decided(call)
        kept = node.in_flight.asked(call)

    assert kept is not None
    assert "app:1" in repr(kept)
    assert "planted-secret" not in repr(kept)


def test_a_tapped_request_that_cannot_be_read_is_one_gap_and_no_more(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        call = FakeCall(Method.START_CONTAINER)
        node.interceptor.request_seen(call, b"\xff")
        node.interceptor.answered(call, b"", 0)
        on_record = node.finish()

    (gap,) = (event for event in on_record if isinstance(event, Gap))
    assert (gap.reason, gap.count) == ("undecodable", 1)
    assert "StartContainer" in gap.detail
