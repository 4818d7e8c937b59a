"""CRI-O's own answers with real pins and processes on the kernel, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nsledger.model.events import PodAssigned
from nsledger.model.judgement import HOST, POD, PRIVATE, UNKNOWN
from nsledger.model.namespaces import NamespaceType, ReadingSource, pinned_paths
from nsledger.proc import nsfs
from nsledger.state.matrix import Matrix, pod_matrix
from tests import cells, crio
from tests.unit.auditor.node_in_a_box import Box, box, only

pytestmark = pytest.mark.root

FOLDERS = {folder: crio.pods_of(folder) for folder in ("infra-dropped", "infra-kept")}


@pytest.fixture
def dropped(tmp_path: Path) -> Iterator[crio.Node]:
    with crio.node(tmp_path / "run", "infra-dropped") as made:
        yield made


def look_at_all(daemon: Box, made: crio.Node) -> None:
    for id_ in made.sandboxes:
        daemon.reconciliation._drift_recorder.new_sandbox(id_)
    for id_, document in made.containers.items():
        pod = str(document["info"]["sandboxID"])
        daemon.reconciliation._drift_recorder.new_container(id_, pod)


def matrix_of(daemon: Box, id_: str) -> Matrix:
    pod = daemon.node_state.workloads.pods[id_]
    return pod_matrix(pod, daemon.node_state.host)


def truth_of(made: crio.Node, id_: str) -> dict[str, cells.Inodes]:
    sandbox = made.pod_sandbox_status(id_).process
    truth: dict[str, cells.Inodes] = {
        id_: cells.inodes_of(sandbox.pid)
        if sandbox.pid
        else cells.inodes_at(pinned_paths(sandbox.assigned))
    }
    for container_id, document in made.containers.items():
        if document["info"]["sandboxID"] == id_:
            truth[container_id] = cells.inodes_of(document["info"]["pid"])
    return truth


@pytest.mark.parametrize(
    ("folder", "pod"), [(folder, pod) for folder, pods in FOLDERS.items() for pod in pods]
)
def test_no_cell_is_wrong_and_each_of_a_container_is_judged(
    folder: str, pod: str, tmp_path: Path
) -> None:
    with crio.node(tmp_path / "run", folder) as made, ExitStack() as stack:
        id_ = made.run(pod)
        daemon = stack.enter_context(box(tmp_path / "box", runtime=made))
        look_at_all(daemon, made)
        matrix = matrix_of(daemon, id_)
        counted = cells.count(matrix, truth_of(made, id_))

    assert counted.wrong == []
    assert counted.judged == counted.cells
    assert "unobservable" not in {
        str(cell.verdict) for row in matrix.processes for cell in row.namespaces.values()
    }


def test_a_pod_without_containers_has_what_is_mounted_for_it(
    dropped: crio.Node, tmp_path: Path
) -> None:
    id_ = dropped.run("nocontainers")
    with box(tmp_path / "box", runtime=dropped) as daemon:
        look_at_all(daemon, dropped)
        matrix = matrix_of(daemon, id_)
        on_record = daemon.finish()

    assigned = only(PodAssigned, on_record)
    assert assigned.actual is not None
    assert (assigned.actual.pid, assigned.unobservable) == (0, "")
    assert assigned.actual.sources == {
        NamespaceType.NET: ReadingSource.PIN,
        NamespaceType.IPC: ReadingSource.PIN,
        NamespaceType.UTS: ReadingSource.PIN,
    }
    (sandbox,) = matrix.processes
    assert sandbox.pid is None
    for type_, cell in sandbox.namespaces.items():
        pinned = type_ in assigned.actual.sources
        assert cell.sharing == (POD if pinned else UNKNOWN)
        assert cell.source == (ReadingSource.PIN if pinned else None)


def test_a_pin_that_is_the_nodes_own_namespace_is_the_nodes(
    dropped: crio.Node, tmp_path: Path
) -> None:
    id_ = dropped.run("hostnet")
    with box(tmp_path / "box", runtime=dropped) as daemon:
        look_at_all(daemon, dropped)
        matrix = matrix_of(daemon, id_)
        on_record = daemon.finish()

    sandbox, *containers = matrix.processes
    assert sandbox.namespaces[NamespaceType.NET].sharing == HOST
    assert {row.namespaces[NamespaceType.NET].sharing for row in containers} == {HOST}
    # CRI-O gives such a pod a host name of its own; containerd does not.
    assert {row.namespaces[NamespaceType.UTS].sharing for row in matrix.processes} == {POD}
    assert only(PodAssigned, on_record).netns_path == ""


def test_what_was_never_compared_is_unobservable_and_never_private(
    dropped: crio.Node, tmp_path: Path
) -> None:
    id_ = dropped.run("plain")
    sandbox = dropped.sandboxes[id_]
    for entry in sandbox["info"]["runtimeSpec"]["linux"]["namespaces"]:
        if entry.get("path"):
            entry["path"] = f"{tmp_path}/not-there"
    with box(tmp_path / "box", runtime=dropped) as daemon:
        look_at_all(daemon, dropped)
        _, *containers = matrix_of(daemon, id_).processes

    for row in containers:
        for cell in row.namespaces.values():
            assert cell.sharing in {HOST, UNKNOWN}
            assert cell.sharing == HOST or str(cell.verdict) == "unobservable"


def test_a_container_beside_a_sandbox_without_a_process_is_alone_with_its_processes(
    dropped: crio.Node, tmp_path: Path
) -> None:
    id_ = dropped.run("plain")
    with box(tmp_path / "box", runtime=dropped) as daemon:
        look_at_all(daemon, dropped)
        _, *containers = matrix_of(daemon, id_).processes

    assert {row.namespaces[NamespaceType.PID].sharing for row in containers} == {PRIVATE}


def test_pins_are_found_as_mounts_without_a_process(dropped: crio.Node) -> None:
    id_ = dropped.run("nocontainers")

    kept = pinned_paths(dropped.pod_sandbox_status(id_).process.assigned)
    found = {orphan.type: orphan.holders[0].path for orphan in nsfs.orphans().found}

    assert found.items() >= kept.items()
