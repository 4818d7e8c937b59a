"""A runtime that does not do what it is asked is found out, through the whole daemon."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.cri import Client
from demo.pods import Kubelet, Pod, RunningPod
from demo.shim import Shim
from nsledger.model.events import ContainerStarted, ContainerStopped, Ending, NamespaceChanged
from nsledger.model.judgement import LayerPair, Verdict
from nsledger.model.namespaces import NamespaceType
from tests.integration.lying_runtime import Lie, LyingRuntime
from tests.programs import environment, run

pytestmark = pytest.mark.root

IPC = NamespaceType.IPC
BOTH_REQUESTED = {LayerPair.REQUESTED_ASSIGNED, LayerPair.REQUESTED_ACTUAL}


@dataclass
class Front:
    directory: Path
    socket: str


@dataclass
class Lied:
    """A runtime, the daemon in front of it, and a kubelet that calls the daemon."""

    runtime: LyingRuntime
    shim: Shim
    kubelet: Kubelet

    def run(self, lie: Lie) -> RunningPod:
        self.runtime.lie = lie
        return self.kubelet.run(Pod(name=lie.name.lower().replace("_", "-"), host_pid=True))

    def started(self, pod: RunningPod) -> ContainerStarted:
        def found() -> list[ContainerStarted]:
            return [
                record.event
                for record in self.shim.records()
                if isinstance(record.event, ContainerStarted)
                and record.event.container.container_id == pod.containers["app"]
            ]

        self.shim.wait_for("the start on record", lambda _: bool(found()))
        (event,) = found()
        return event


@pytest.fixture(scope="module")
def lied() -> Iterator[Lied]:
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp"))
        )
        runtime = stack.enter_context(LyingRuntime(str(directory / "runtime.sock")))
        shim = stack.enter_context(Shim(Front(directory, runtime.path), reconcile_interval_s=1))
        client = stack.enter_context(Client(shim.paths.socket))
        made = Lied(runtime, shim, Kubelet(client, cgroup_parent="/"))
        made.started(made.run(Lie.NONE))  # so that every connection is there
        yield made


def test_an_honest_runtime_never_mismatches(lied: Lied) -> None:
    judged = lied.started(lied.run(Lie.NONE)).judgements

    assert judged[IPC].sharing == "pod"
    assert Verdict.MISMATCH not in {one.verdict for one in judged.values()}


@pytest.mark.parametrize(
    ("lie", "differ", "sharing"),
    [
        (Lie.HONEST_SPEC, {LayerPair.REQUESTED_ACTUAL, LayerPair.ASSIGNED_ACTUAL}, "private"),
        (Lie.HONEST_PROCESS, BOTH_REQUESTED, "private"),
        (Lie.NO_SPEC, {LayerPair.REQUESTED_ACTUAL}, "private"),
        (Lie.HOST, BOTH_REQUESTED, "host"),
    ],
    ids=lambda value: value.name if isinstance(value, Lie) else "",
)
def test_a_lie_is_a_mismatch_of_exactly_the_layers_that_differ(
    lied: Lied, lie: Lie, differ: set[LayerPair], sharing: str
) -> None:
    judged = lied.started(lied.run(lie)).judgements

    assert judged[IPC].verdict is Verdict.MISMATCH
    assert set(judged[IPC].differ) == differ
    assert judged[IPC].sharing == sharing
    others = {type_ for type_, one in judged.items() if one.verdict is Verdict.MISMATCH} - {IPC}
    assert others == set()


def findings(lied: Lied, *options: str) -> dict[str, set[str]]:
    """The names of the pods in which each kind was found."""
    command = ["findings", "--fail-on", "never", "-o", "json", *options]
    code, output = run(command, environment(lied.shim.paths.ledger))
    assert code == 0
    kinds: dict[str, set[str]] = {}
    for finding in json.loads(output):
        name = finding["pod"]["name"] if finding["pod"] else ""
        kinds.setdefault(finding["kind"], set()).add(name)
    return kinds


def test_each_lie_is_a_finding_and_honest_pods_are_in_none(lied: Lied) -> None:
    for lie in (Lie.NONE, Lie.HONEST_SPEC, Lie.HONEST_PROCESS, Lie.NO_SPEC, Lie.HOST):
        lied.started(lied.run(lie))

    assert findings(lied, "--kind", "mismatch.*") == {
        "mismatch.requested_assigned": {"honest-process", "host"},
        "mismatch.requested_actual": {"honest-spec", "honest-process", "no-spec", "host"},
        "mismatch.assigned_actual": {"honest-spec"},
    }


def test_what_happens_without_a_call_is_a_finding(lied: Lied) -> None:
    moved = lied.run(Lie.NONE)
    lied.started(moved)
    lied.started(lied.run(Lie.NO_PROCESS))
    lied.runtime.move(moved.containers["app"])
    lied.runtime.lie = Lie.NONE
    with Client(lied.runtime.path) as straight:
        past = Kubelet(straight, cgroup_parent="/").run(Pod(name="past", host_pid=True))
        lied.started(past)
    lied.shim.wait_for(
        "the move on record",
        lambda records: any(isinstance(record.event, NamespaceChanged) for record in records),
    )

    found = findings(lied)

    assert found["shim_bypassed"] == {"past"}
    assert found["namespace_changed"] == {"none"}
    assert found["unobservable"] == {"no-process"}
    assert found["host_namespace"] >= {"none", "past"}


def test_a_process_that_is_gone_behind_a_runtime_that_says_it_runs_is_found(lied: Lied) -> None:
    pod = lied.run(Lie.NONE)
    container_id = pod.containers["app"]
    lied.started(pod)

    lied.runtime.end(container_id)

    records = lied.shim.wait_for(
        "the end on record",
        lambda records: any(isinstance(record.event, ContainerStopped) for record in records),
    )
    (stopped,) = (r.event for r in records if isinstance(r.event, ContainerStopped))
    assert stopped.container.container_id == container_id
    assert stopped.ending is Ending.PROCESS_GONE
    assert findings(lied, "--kind", "process_gone") == {"process_gone": {"none"}}
