from __future__ import annotations

import pytest

from nsledger.auditor.calls_in_flight import Concerned, InFlight
from nsledger.auditor.jobs import Asked
from nsledger.cri.methods import Method
from nsledger.cri.watched_requests import (
    ContainerToRestore,
    CreateContainer,
    RemoveContainer,
    RemovePodSandbox,
    Request,
    RestorePod,
    RunPodSandbox,
    StartContainer,
    StopContainer,
    StopPodSandbox,
)
from nsledger.model.namespaces import RequestedNamespaces
from nsledger.model.refs import ContainerRef, PodRef
from tests.unit.auditor.node_in_a_box import FakeCall

ASKED = RequestedNamespaces()
NAMED = PodRef(k8s_namespace="shop", name="cart", uid="u1")
POD = PodRef(pod_sandbox_id="s1", k8s_namespace="shop", name="cart", uid="u1")
OTHER_ATTEMPT = PodRef(pod_sandbox_id="s2", k8s_namespace="shop", name="cart", uid="u1", attempt=1)
APP = ContainerRef(container_id="c1", name="app")
RESTARTED = ContainerRef(container_id="c2", name="app", attempt=1)

CREATE = CreateContainer(
    pod=PodRef(pod_sandbox_id="s1"),
    container=ContainerRef(name="app"),
    requested=ASKED,
    privileged=False,
    has_sandbox_config=False,
)
RESTORE = RestorePod(
    pod=NAMED,
    requested=ASKED,
    containers=(
        ContainerToRestore(container=ContainerRef(name="app"), requested=ASKED, privileged=False),
    ),
)


@pytest.mark.parametrize(
    ("request_", "pod", "container"),
    [
        (RunPodSandbox(pod=NAMED, requested=ASKED), True, False),
        (RESTORE, True, True),
        (StopPodSandbox("s1"), True, True),
        (RemovePodSandbox("s1"), True, True),
        (CREATE, False, True),
        (StartContainer("c1"), False, True),
        (StopContainer("c1"), False, True),
        (RemoveContainer("c1"), False, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_call_is_about_what_it_makes_starts_or_ends(
    request_: Request, pod: bool, container: bool
) -> None:
    concerned = Concerned((request_,))

    assert concerned.pod(POD) is pod
    assert concerned.container("s1", APP) is container


@pytest.mark.parametrize(
    "request_",
    [
        RunPodSandbox(pod=NAMED, requested=ASKED),
        StopPodSandbox("s1"),
        CREATE,
        StartContainer("c1"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_call_is_about_nothing_else(request_: Request) -> None:
    concerned = Concerned((request_,))

    assert not concerned.pod(OTHER_ATTEMPT)
    assert not concerned.container("s2", RESTARTED)


def test_a_call_is_under_way_from_its_request_until_its_answer_is_handed_over() -> None:
    calls, call = InFlight(), FakeCall(Method.START_CONTAINER)

    asked = Asked(Method.START_CONTAINER, StartContainer("c1"))
    calls.begin(call, asked)

    assert calls.asked(call) is asked
    assert calls.concerned() == Concerned((StartContainer("c1"),))
    calls.end(call)
    assert calls.concerned() == Concerned()
    assert not len(calls)
