from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from nsledger.model.namespaces import NamespaceType
from nsledger.render import pods
from nsledger.render.text import Screen, columns
from nsledger.state.findings import Kind
from nsledger.state.matrix import pod_matrix
from nsledger.state.pod_summary import PodFilter, PodLine, pod_lines
from tests import golden
from tests.synthetic_node import SyntheticNode, odd_node

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J\u202e\nroot\x9b31m" + "x" * 10_000


def lines(node: SyntheticNode) -> list[PodLine]:
    workloads = node.folded()
    matrices = (pod_matrix(pod, workloads.host) for pod in workloads.pods.values())
    return pod_lines(matrices, PodFilter(ended=True))


@pytest.mark.parametrize(
    ("name", "screen", "wide"),
    [
        ("80", Screen(width=80), False),
        ("120-color", Screen(width=120, color=True), False),
        ("wide", Screen(), True),
        ("ascii", Screen(width=100, unicode=False), False),
    ],
)
def test_pods_look_as_they_did(name: str, screen: Screen, *, wide: bool) -> None:
    golden.check(
        GOLDEN / f"pods-{name}.txt", pods.draw_pod_table(lines(odd_node()), screen, wide=wide)
    )


def test_no_pods_are_no_table() -> None:
    assert list(pods.draw_pod_table([], Screen())) == []


def test_the_hosts_user_namespace_is_shown_if_asked_for() -> None:
    node = odd_node()

    text = "\n".join(pods.draw_pod_table(lines(node), Screen(), types=[NamespaceType.USER]))

    assert "user" in text
    assert "left out" not in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_hostile_name_is_inert_and_gives_way(width: int) -> None:
    node = odd_node()
    node.run_pod(HOSTILE)

    for line in pods.draw_pod_table(lines(node), Screen(width=width)):
        assert line.isprintable()
        assert columns(line) <= max(width, 90)


def test_on_cgroup_v1_the_hosts_cgroup_namespace_is_a_note_and_no_flag() -> None:
    found = [
        replace(line, host=(NamespaceType.CGROUP, NamespaceType.USER)) for line in lines(odd_node())
    ]

    of_v1 = list(pods.draw_pod_table(found, Screen(), cgroup_version=1))
    of_v2 = list(pods.draw_pod_table(found, Screen(), cgroup_version=2))

    assert of_v1[-1].startswith("cgroup (v1), user and time are left out")
    assert of_v2[-1].startswith("user and time are left out")
    assert not any("cgroup" in line for line in of_v1[:-1])
    assert any("cgroup" in line for line in of_v2[:-1])


def test_what_no_other_column_tells_has_one_of_its_own() -> None:
    plain, bypassed, *_ = lines(odd_node())
    usual = replace(plain, findings=(Kind.HOST_NAMESPACE,))
    bypassed = replace(bypassed, findings=(Kind.HOOK_MISSING, Kind.SHIM_BYPASSED))

    without = "\n".join(pods.draw_pod_table([usual], Screen()))
    with_ = "\n".join(pods.draw_pod_table([usual, bypassed], Screen()))

    assert "FINDINGS" not in without
    assert "FINDINGS" in with_
    assert "\u25b2 bypassed" in with_
