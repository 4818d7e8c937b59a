from __future__ import annotations

from collections.abc import Iterable

from nsledger.model.judgement import HOST
from nsledger.model.namespaces import NamespaceType
from nsledger.query.sharing_graph import ProcessIndex, SharingGraph
from nsledger.state.matrix import ORDER
from tests.drawing import picture_of
from tests.synthetic_node import (
    CGROUP,
    IPC,
    MNT,
    NET,
    PID,
    TIME,
    USER,
    UTS,
    SyntheticNode,
    example_node,
    odd_node,
)


def names(drawn: SharingGraph, members: Iterable[ProcessIndex]) -> list[str]:
    return [f"{drawn.pods[one.pod].pod.name}/{drawn.process(one).name}" for one in members]


def shared_groups(node: SyntheticNode) -> list[tuple[str, list[str]]]:
    drawn = picture_of(node)
    return [(" ".join(one.types), names(drawn, one.members)) for one in drawn.shared_groups()]


def test_types_that_the_same_processes_share_are_told_at_once() -> None:
    assert shared_groups(example_node()) == [
        ("net ipc uts", ["web/sandbox", "web/app", "web/sidecar"]),
        ("net ipc uts pid", ["debug/sandbox", "debug/shell", "debug/tracer"]),
        ("net ipc uts", ["job-29184/sandbox", "job-29184/work"]),
    ]


def test_of_the_types_that_are_asked_for_only_these_are_told() -> None:
    drawn = picture_of(example_node())

    assert [one.types for one in drawn.shared_groups([PID])] == [(PID,)]
    assert set(drawn.alone([MNT])) == set(drawn.members())
    assert set().union(*drawn.in_hosts([NET, USER]).values()) == {NET, USER}


def test_the_hosts_is_one_namespace_with_all_who_are_in_it_and_comes_first() -> None:
    drawn = picture_of(example_node())

    first, *others = [one for one in drawn.namespaces if one.type is NET]

    assert first.is_host
    assert names(drawn, first.members) == ["node-agent-x7k2p/sandbox", "node-agent-x7k2p/agent"]
    assert not any(one.is_host for one in others)
    (users,) = [one for one in drawn.namespaces if one.type is USER]
    assert users.pods == (0, 1, 2, 3)


def test_who_is_alone_in_which_types_is_known_of_each_process() -> None:
    drawn = picture_of(example_node())

    alone = {one: types for (one,), types in _by_name(drawn, drawn.alone())}

    assert alone["web/app"] == [PID, MNT, CGROUP]
    assert alone["debug/shell"] == [MNT, CGROUP]


def _by_name(
    drawn: SharingGraph, found: dict[ProcessIndex, list[NamespaceType]]
) -> list[tuple[list[str], list[NamespaceType]]]:
    return [(names(drawn, [member]), types) for member, types in found.items()]


def test_every_process_that_was_read_is_in_one_namespace_of_each_type() -> None:
    drawn = picture_of(odd_node())

    for member in drawn.members():
        for type_ in ORDER:
            rooms = [one for one in drawn.namespaces if one.type is type_ and member in one.members]
            assert len(rooms) == (drawn.cell(member, type_).actual is not None)
            assert all(one.is_host == (drawn.cell(member, type_).sharing == HOST) for one in rooms)


def test_a_namespace_that_reaches_over_two_pods_is_one() -> None:
    node = example_node()
    victim, spy = node.run_pod("victim"), node.run_pod("spy")
    node.run_container(spy, "shell", joins={NET: victim, IPC: victim})

    found = shared_groups(node)

    assert ("net ipc", ["victim/sandbox", "spy/shell"]) in found


def test_without_the_kernels_ids_a_reused_number_joins_no_two_pods() -> None:
    node = SyntheticNode(ns_ids=False)
    node.start_daemon()
    first = node.run_pod("first")
    node.crash(node.run_container(first, "gone"))
    second = node.run_pod("second")
    node.run_container(second, "heir")

    drawn = picture_of(node)

    gone, heir = ProcessIndex(0, 1), ProcessIndex(1, 0)
    numbers = [
        {drawn.cell(member, type_).actual for type_ in (MNT, PID, CGROUP, UTS, IPC)}
        for member in (gone, heir)
    ]
    assert {one and one.ino for one in numbers[0]} & {one and one.ino for one in numbers[1]}
    assert all(len(one.pods) == 1 for one in drawn.namespaces if not one.is_host)


def test_ids_of_another_boot_join_no_two_pods() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.run_pod("before")
    node.reboot()
    node.start_daemon()
    node.run_pod("after")

    drawn = picture_of(node)

    before, after = (drawn.cell(ProcessIndex(pod, 0), NET).actual for pod in (0, 1))
    assert before is not None
    assert before == after
    assert all(len(one.pods) == 1 for one in drawn.namespaces if one.type not in (USER, TIME))
