from __future__ import annotations

from nsledger.render import mermaid
from nsledger.state.matrix import ORDER
from tests.drawing import picture_of
from tests.synthetic_node import CGROUP, IPC, NET, PID, TIME, USER, example_node, odd_node


def test_the_hosts_of_every_ordinary_pod_are_left_out_unless_they_are_asked_for() -> None:
    drawn = picture_of(example_node())

    assert set(ORDER) - set(mermaid.hosts_types(drawn, [])) == {USER, TIME}
    assert mermaid.hosts_types(drawn, [USER]) == [USER]


def test_on_cgroup_v1_an_ordinary_pod_is_in_the_hosts_cgroup_namespace_too() -> None:
    node = example_node()
    node.records = [
        line.replace(b'"cgroup_version":2', b'"cgroup_version":1') for line in node.records
    ]

    drawn = picture_of(node)

    assert set(ORDER) - set(mermaid.hosts_types(drawn, [])) == {USER, TIME, CGROUP}


def test_a_process_is_told_with_its_restart_and_its_end() -> None:
    drawn = picture_of(odd_node(), "odd", "job-29184")

    names = [mermaid.process_name(drawn.process(member)) for member in drawn.members()]

    assert "unhooked #1" in names
    assert "work (ended)" in names


def test_a_name_is_visible_and_no_longer_than_fits() -> None:
    node = example_node()
    node.run_container(node.run_pod("\x1b" + "x" * 900), "\u202e" + "y" * 900)
    drawn = picture_of(node)

    last = len(drawn.pods) - 1
    for text in (
        mermaid.pod_name(drawn, last),
        mermaid.process_name(drawn.pods[last].processes[1]),
    ):
        assert text.isprintable()
        assert len(text) <= 60


def test_what_reaches_over_pods_or_should_not_be_is_told_as_bad() -> None:
    node = odd_node()
    victim, spy = node.run_pod("victim"), node.run_pod("spy")
    node.run_container(spy, "shell", joins={NET: victim})
    drawn = picture_of(node)

    across = [one for one in drawn.shared_groups([NET]) if mermaid.home(one) is None]

    assert len(across) == 1
    assert mermaid.is_bad(drawn, across[0])
    plain = [one for one in drawn.shared_groups([IPC]) if mermaid.home(one) == 0]
    assert not any(mermaid.is_bad(drawn, one) for one in plain)


def test_who_is_in_the_hosts_against_what_was_asked_has_a_sign() -> None:
    drawn = picture_of(odd_node(), "odd", "node-agent-x7k2p")

    said = [mermaid.in_host(drawn, one, types) for one, types in drawn.in_hosts([PID]).items()]

    assert sorted(said) == ["pid", "pid", "\u2260 pid"]
