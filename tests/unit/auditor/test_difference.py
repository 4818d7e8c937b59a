from __future__ import annotations

import pytest

from nsledger.auditor.reconcile import Difference, container_difference, sandbox_difference
from nsledger.cri.status import ContainerState, ListedContainer, ListedSandbox
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.pod import Container, Pod

ALIVE = Pod(PodRef(pod_sandbox_id="s1"))
OVER = Pod(PodRef(pod_sandbox_id="s1"), sandbox_ended=True)
READY = ListedSandbox(pod=PodRef(pod_sandbox_id="s1"), ready=True)
NOT_READY = ListedSandbox(pod=PodRef(pod_sandbox_id="s1"), ready=False)

RUNS = Container(ContainerRef(container_id="c1"))
DEAD = Container(ContainerRef(container_id="c1"), ended=True)


def listed(state: ContainerState) -> ListedContainer:
    ref = ContainerRef(container_id="c1")
    return ListedContainer(pod_sandbox_id="s1", container=ref, state=state)


@pytest.mark.parametrize(
    ("pod", "found", "looked_at", "difference"),
    [
        (None, None, False, None),
        (None, READY, False, Difference.NEW),
        (None, NOT_READY, False, Difference.NEW),
        (ALIVE, READY, False, Difference.NEW),
        (ALIVE, READY, True, Difference.RUNNING),
        (ALIVE, NOT_READY, True, Difference.ENDED),
        (ALIVE, NOT_READY, False, Difference.ENDED),
        (ALIVE, None, True, Difference.MISSING),
        (OVER, None, True, Difference.MISSING),
        (OVER, NOT_READY, True, None),
        (OVER, READY, True, Difference.RESUMED),
    ],
)
def test_a_sandbox_is_looked_at_where_picture_and_list_differ(
    pod: Pod | None, found: ListedSandbox | None, looked_at: bool, difference: Difference | None
) -> None:
    assert sandbox_difference(pod, found, looked_at=looked_at) is difference


@pytest.mark.parametrize(
    ("container", "state", "looked_at", "difference"),
    [
        (None, None, False, None),
        (None, ContainerState.CREATED, False, Difference.NEW),
        (None, ContainerState.RUNNING, False, Difference.NEW),
        (None, ContainerState.EXITED, False, Difference.NEW),
        (RUNS, ContainerState.CREATED, False, None),
        (RUNS, ContainerState.UNKNOWN, True, None),
        (RUNS, ContainerState.RUNNING, False, Difference.NEW),
        (RUNS, ContainerState.RUNNING, True, Difference.RUNNING),
        (RUNS, ContainerState.EXITED, True, Difference.ENDED),
        (RUNS, ContainerState.EXITED, False, Difference.ENDED),
        (RUNS, None, True, Difference.MISSING),
        (DEAD, ContainerState.EXITED, True, None),
        (DEAD, ContainerState.RUNNING, True, Difference.RESUMED),
        (DEAD, None, True, Difference.MISSING),
    ],
)
def test_a_container_is_looked_at_where_picture_and_list_differ(
    container: Container | None,
    state: ContainerState | None,
    looked_at: bool,
    difference: Difference | None,
) -> None:
    found = None if state is None else listed(state)

    assert container_difference(container, found, looked_at=looked_at) is difference
