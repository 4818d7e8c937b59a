from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from nsledger.auditor import follow_up as module
from nsledger.auditor.jobs import FollowUp, LookUpSandbox
from nsledger.auditor.node_state import Known
from nsledger.cri.methods import Method
from nsledger.model.events import Gap, PodAssigned
from tests.unit.auditor.node_in_a_box import (
    OF_THE_HOST,
    FakeRuntime,
    asked,
    box,
    container_answer,
    create_container,
    run_pod_sandbox,
    sandbox_answer,
)

UNREADABLE = FollowUp(asked(Method.RUN_POD_SANDBOX, run_pod_sandbox()), b"\xff", 0)


def test_a_job_that_fails_is_a_gap_and_the_next_one_is_worked(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        node.follow_up.put(UNREADABLE)
        node.follow_up.put(FollowUp(UNREADABLE.asked, sandbox_answer(), 0))
        on_record = node.finish()

    assert any(isinstance(e, Gap) and e.reason == "witness_failed" for e in on_record)
    assert any(isinstance(e, PodAssigned) for e in on_record)


def test_the_error_of_a_job_is_named_and_never_quoted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def leak() -> None:
        raise ValueError("password=hunter2")

    with box(tmp_path) as node:
        node.follow_up.put(LookUpSandbox("s1", leak))
        on_record = node.finish()

    gap = next(event for event in on_record if isinstance(event, Gap))
    assert gap.detail == "CreateContainer: ValueError"
    printed = capfd.readouterr()
    assert "hunter2" not in printed.out + printed.err


def test_a_full_queue_drops_a_follow_up_and_never_holds_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUEUE_LIMIT", 0)
    went_on = threading.Event()
    with box(tmp_path) as node:
        node.follow_up.put(UNREADABLE)
        node.follow_up.put(LookUpSandbox("s1", went_on.set))
        on_record = node.finish()

    assert went_on.is_set()
    gap = next(event for event in on_record if isinstance(event, Gap))
    assert (gap.reason, gap.count) == ("witness_queue_full", 2)


def test_a_process_is_known_once_a_sandbox_was_looked_at(tmp_path: Path) -> None:
    with box(tmp_path) as node:
        assert node.follow_up.known("s1") is None
        node.evidence.adopt("s1")

        assert node.follow_up.known("s1") == Known(
            node.runtime.pid, OF_THE_HOST, node.runtime.runtime_type
        )
        assert node.follow_up.known(None) is None


def test_a_held_call_goes_before_everything_else_but_the_answer_about_its_sandbox(
    tmp_path: Path,
) -> None:
    runtime = FakeRuntime()
    order: list[str] = []
    first = threading.Event()
    with box(tmp_path, runtime=runtime) as node:
        node.follow_up.put(LookUpSandbox("s0", lambda: wait_for(first)))
        time.sleep(0.05)
        made = asked(Method.RUN_POD_SANDBOX, run_pod_sandbox())
        for job in (
            FollowUp(asked(Method.CREATE_CONTAINER, create_container()), container_answer(), 0),
            FollowUp(made, sandbox_answer(), 0),
        ):
            node.follow_up.put(job)
        runtime.asked.clear()
        node.follow_up.put(LookUpSandbox("s1", lambda: order.extend(runtime.asked)))
        first.set()
        node.settle()

    assert order == ["s1"]
    assert runtime.asked[:2] == ["s1", "c1"]


def wait_for(event: threading.Event) -> None:
    assert event.wait(30)
