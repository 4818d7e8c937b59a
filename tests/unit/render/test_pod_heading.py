from __future__ import annotations

from msgspec.structs import replace

from nsledger.model.refs import PodRef
from nsledger.render.pods import draw_pod_heading
from nsledger.render.text import Screen, columns
from nsledger.state.matrix import Matrix, pod_matrix
from tests.synthetic_node import example_node, odd_node


def web() -> Matrix:
    workloads = example_node().folded()
    return pod_matrix(next(iter(workloads.pods.values())), workloads.host)


def test_it_says_which_pod_and_what_else_it_is_known_by() -> None:
    name, ids = draw_pod_heading(web(), Screen())

    assert name == "default/web  running  since 2026-11-24 00:03:50 UTC"
    assert ids.split("  ") == [
        "sandbox 5a00000100000",
        "uid 6f1c2d3e-0000-4000-8000-000000000001",
        "10.88.0.2",
        "/var/run/netns/cni-00000001",
    ]


def test_the_path_goes_first_where_there_is_no_room() -> None:
    _, ids = draw_pod_heading(web(), Screen(width=80))

    assert "cni" not in ids
    assert columns(ids) <= 80


def test_what_was_there_before_us_was_seen_since() -> None:
    first, *rest = web().processes
    matrix = replace(web(), processes=(replace(first, seen_since=True), *rest))

    assert "seen since" in next(draw_pod_heading(matrix, Screen()))


def test_a_runtime_handler_is_named() -> None:
    workloads = odd_node().folded()
    sealed = next(pod for pod in workloads.pods.values() if pod.ref.name == "sealed")

    assert "handler kata" in list(draw_pod_heading(pod_matrix(sealed, None), Screen()))[1]


def test_a_pod_of_which_nothing_is_known_has_a_heading_too() -> None:
    matrix = replace(web(), pod=PodRef(), since=None, ips=(), netns_path="")

    assert next(draw_pod_heading(matrix, Screen())) == "?  running"
