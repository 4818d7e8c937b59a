from __future__ import annotations

import pytest

from nsledger.model.record import decode
from nsledger.state.pods import AmbiguousPodError, UnknownPodError, Workloads, find_pod
from tests.synthetic_node import SyntheticNode


@pytest.fixture
def node() -> SyntheticNode:
    node = SyntheticNode()
    node.start_daemon()
    return node


def folded(node: SyntheticNode) -> Workloads:
    workloads = Workloads()
    for line in node.lines():
        workloads.apply_record(decode(line))
    return workloads


def test_a_pod_is_found_by_all_that_it_is_known_by(node: SyntheticNode) -> None:
    sandbox = node.run_pod("web", uid="11111111-2222-4000-8000-000000000000")
    container = node.run_container(sandbox, "app")
    node.run_pod("other")

    for asked in (
        "web",
        "default/web",
        "11111111-2222-4000-8000-000000000000",
        sandbox,
        sandbox[:9],
        container[:9],
    ):
        assert find_pod(folded(node), asked).ref.pod_sandbox_id == sandbox


def test_an_unknown_pod_is_an_error_that_names_what_is_close(node: SyntheticNode) -> None:
    node.run_pod("web")

    with pytest.raises(UnknownPodError, match="'default/web'"):
        find_pod(folded(node), "default/wbe")


@pytest.mark.parametrize("asked", ["", "5", "5a0", "we", "WEB"])
def test_a_part_of_a_name_or_too_short_an_id_finds_nothing(node: SyntheticNode, asked: str) -> None:
    node.run_pod("web")

    with pytest.raises(UnknownPodError):
        find_pod(folded(node), asked)


def test_one_name_in_two_k8s_namespaces_is_ambiguous(node: SyntheticNode) -> None:
    node.run_pod("web")
    node.run_pod("web", k8s_namespace="shop")

    with pytest.raises(AmbiguousPodError) as caught:
        find_pod(folded(node), "web")

    assert {pod.ref.full_name for pod in caught.value.pods} == {"default/web", "shop/web"}


def test_the_living_come_before_the_gone(node: SyntheticNode) -> None:
    gone = node.run_pod("web")
    node.stop_pod(gone)
    living = node.run_pod("web")
    gone_too = node.run_pod("web", k8s_namespace="shop")
    node.stop_pod(gone_too)

    assert find_pod(folded(node), "web").ref.pod_sandbox_id == living


def test_of_several_sandboxes_of_one_pod_the_newest_counts(node: SyntheticNode) -> None:
    first = node.run_pod("web", uid="u")
    node.stop_pod(first)
    second = node.run_pod("web", uid="u", attempt=1)
    node.stop_pod(second)

    assert find_pod(folded(node), "web").ref.pod_sandbox_id == second
    assert find_pod(folded(node), first).ref.pod_sandbox_id == first


def test_of_pods_of_one_name_that_are_all_gone_the_last_one_counts(node: SyntheticNode) -> None:
    node.stop_pod(node.run_pod("web"))
    last = node.run_pod("web")
    node.stop_pod(last)

    assert find_pod(folded(node), "default/web").ref.pod_sandbox_id == last
