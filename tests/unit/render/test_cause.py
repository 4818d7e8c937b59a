from __future__ import annotations

import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.render.causes import agrees, asked, how, why
from nsledger.state.matrix import Matrix, pod_matrix
from tests.synthetic_node import NET, PID, odd_node


@pytest.fixture
def odd() -> Matrix:
    workloads = odd_node().folded()
    (pod,) = [pod for pod in workloads.pods.values() if pod.ref.name == "odd"]
    return pod_matrix(pod, workloads.host)


@pytest.mark.parametrize(
    ("requested", "words"),
    [
        ("POD", "the pod's (POD)"),
        ("TARGET c0ffee", "another container's (TARGET)"),
        ("mode 9", "something in a mode 9 that is not known here"),
    ],
)
def test_a_mode_is_put_into_words(requested: str, words: str) -> None:
    assert asked(requested) == words


def test_a_cause_needs_layers_that_were_compared_and_agree(odd: Matrix) -> None:
    assert [agrees(row, PID) for row in odd.processes] == [True, False, True, False]
    assert [agrees(row, NET) for row in odd.processes] == [True, True, True, False]


def test_several_ways_into_one_namespace_are_told_by_name(odd: Matrix) -> None:
    sandbox, strayed, debugger, _ = odd.processes

    text = how(PID, [sandbox, debugger], odd)

    assert text.startswith("the runtime made a new one for the sandbox, and debugger joined /proc/")
    assert how(NET, [strayed, debugger], odd).startswith("both joined /proc/18717/ns/net, the san")


def test_of_what_no_record_tells_no_reason_is_made_up(odd: Matrix) -> None:
    unknown = [row for row in odd.processes if row.name == "unhooked"]
    assert unknown[0].records.requested is not None

    assert why(NamespaceType.TIME, unknown, odd) == "; CRI cannot ask for it, the runtime decides"
