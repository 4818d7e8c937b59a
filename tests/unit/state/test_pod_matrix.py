from __future__ import annotations

import msgspec
import pytest

from nsledger.model.events import CallFailed, Source
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceMode, RequestedNamespaces
from nsledger.state.matrix import ORDER, Matrix, pod_matrix
from tests.synthetic_node import (
    HOST_INODES,
    IPC,
    MNT,
    NET,
    PID,
    POD,
    USER,
    UTS,
    SyntheticNode,
    example_node,
    odd_node,
)


def matrix_of(node: SyntheticNode, name: str, *, all_attempts: bool = False) -> Matrix:
    workloads = node.folded()
    (pod,) = [pod for pod in workloads.pods.values() if pod.ref.name == name]
    return pod_matrix(pod, workloads.host, all_attempts=all_attempts)


def test_rows_are_the_sandbox_and_then_the_containers_and_each_has_all_types() -> None:
    matrix = matrix_of(example_node(), "web")

    assert [process.name for process in matrix.processes] == ["sandbox", "app", "sidecar"]
    assert all(tuple(process.namespaces) == ORDER for process in matrix.processes)


def test_a_cell_holds_the_three_layers_and_what_was_judged() -> None:
    node = example_node()
    sandbox, app, _ = matrix_of(node, "web").processes

    cell = app.namespaces[NET]

    assert (cell.requested, cell.sharing, cell.verdict) == ("POD", "pod", Verdict.MATCH)
    assert cell.assigned == f"/proc/{sandbox.pid}/ns/net"
    assert cell.actual == sandbox.namespaces[NET].actual
    assert cell.group == sandbox.namespaces[NET].group == "A"
    assert app.namespaces[MNT].group is None
    assert app.namespaces[USER].sharing == "host"
    assert app.namespaces[UTS].requested is None


def test_a_mismatch_is_listed_with_its_place() -> None:
    (one,) = matrix_of(odd_node(), "odd").mismatches()

    process, type_, cell = one
    assert (process.name, type_, cell.sharing) == ("strayed", PID, "host")
    assert cell.actual is not None
    assert cell.actual.ino == HOST_INODES[PID]


def test_a_debuggers_target_is_shown_by_its_id() -> None:
    matrix = matrix_of(odd_node(), "odd")
    debugger = next(process for process in matrix.processes if process.name == "debugger")

    requested = debugger.namespaces[PID].requested

    assert requested is not None
    assert requested.startswith("TARGET c0")


def test_of_restarted_containers_the_newest_is_shown_unless_all_are_wanted() -> None:
    newest = matrix_of(odd_node(), "odd")
    every = matrix_of(odd_node(), "odd", all_attempts=True)

    assert newest.earlier_attempts == 1
    assert [process.attempt for process in newest.processes if process.name == "unhooked"] == [1]
    assert every.earlier_attempts == 0
    assert [process.attempt for process in every.processes if process.name == "unhooked"] == [0, 1]


def test_what_only_the_hook_saw_is_compared_but_not_judged() -> None:
    matrix = matrix_of(odd_node(), "odd")
    witnessed = next(process for process in matrix.processes if process.name == "unhooked")

    assert witnessed.namespaces[NET].verdict is None
    assert witnessed.namespaces[NET].sharing == "pod"
    assert witnessed.namespaces[USER].sharing == "host"
    assert witnessed.namespaces[MNT].sharing == "private"


def test_of_what_is_gone_nothing_is_compared_that_was_not_judged_then() -> None:
    node = odd_node()
    node.reboot()
    node.start_daemon()
    matrix = matrix_of(node, "odd")
    witnessed = next(process for process in matrix.processes if process.name == "unhooked")

    assert matrix.state == "ended"
    assert witnessed.namespaces[NET].sharing == "unknown"


def test_a_sandbox_without_a_process_says_why() -> None:
    matrix = matrix_of(odd_node(), "sealed")
    (sandbox,) = matrix.processes

    assert sandbox.unobservable == "no host pid"
    assert sandbox.pid is None
    assert {cell.sharing for cell in sandbox.namespaces.values()} == {"unknown"}


@pytest.mark.parametrize(("mode", "shown"), [(NamespaceMode.NODE, "NODE"), (9, "mode 9")])
def test_a_mode_is_shown_by_its_name_or_its_number(mode: NamespaceMode | int, shown: str) -> None:
    node = example_node()
    node.run_pod("asking", requested=RequestedNamespaces(net=POD, ipc=mode))

    (sandbox,) = matrix_of(node, "asking").processes

    assert sandbox.namespaces[IPC].requested == shown


def test_a_matrix_reads_back_from_json_as_it_was() -> None:
    matrix = matrix_of(odd_node(), "odd", all_attempts=True)

    assert msgspec.json.decode(msgspec.json.encode(matrix), type=Matrix) == matrix


def test_a_process_that_moved_is_told_by_where_it_is_now() -> None:
    node = example_node()
    web = node.run_pod("moving")
    app = node.run_container(web, "app")
    node.run_container(web, "sidecar")
    node.move(app, PID, NET, to="host")

    matrix = matrix_of(node, "moving")

    _, moved, sidecar = matrix.processes
    cell = moved.namespaces[PID]
    assert (cell.sharing, cell.group, cell.verdict) == ("host", None, Verdict.MATCH)
    assert cell.changed == (len(node.records),)
    assert moved.namespaces[IPC].changed == ()
    assert sidecar.namespaces[NET].group == matrix.processes[0].namespaces[NET].group is not None
    assert [(process.name, type_) for process, type_, _ in matrix.changes()] == [
        ("app", NET),
        ("app", PID),
    ]


def test_a_failed_start_is_said_to_be_one_and_nothing_is_unknown_of_it() -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    sandbox = node.run_pod("web")
    id_ = node.run_container(sandbox, "app", started=False, hook=False)
    pod, container = node.containers[id_]
    node.say(
        CallFailed(
            source=Source.CRI_PROXY,
            method="StartContainer",
            grpc_status=2,
            pod=pod,
            container=container,
        )
    )

    workloads = node.folded()
    row = pod_matrix(workloads.pods[sandbox], workloads.host).processes[1]

    assert (row.state, row.unobservable) == ("ended", "not started: its StartContainer failed")
