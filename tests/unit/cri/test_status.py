from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import UndecodableError
from nsledger.cri.status import (
    ContainerState,
    ListedContainer,
    ListedSandbox,
    decode_container_list,
    decode_container_status,
    decode_pod_sandbox_list,
    decode_pod_sandbox_status,
)
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NamespaceMode,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.refs import ContainerRef, PodRef


def sandbox_with(info: object, **status: object) -> bytes:
    answer = pb.PodSandboxStatusResponse(status=pb.PodSandboxStatus(**status))  # type: ignore[arg-type]  # fields by name
    answer.info["info"] = json.dumps(info)
    return answer.SerializeToString()


def test_a_sandbox_that_is_not_ready_says_so() -> None:
    ready = decode_pod_sandbox_status(sandbox_with({}, state=pb.SANDBOX_READY))
    not_ready = decode_pod_sandbox_status(sandbox_with({}, state=pb.SANDBOX_NOTREADY))

    assert (ready.ready, not_ready.ready) == (True, False)


def test_the_modes_that_a_runtime_repeats_are_read() -> None:
    linux = pb.LinuxPodSandboxStatus(
        namespaces=pb.Namespace(options=pb.NamespaceOption(network=pb.NODE))
    )

    status = decode_pod_sandbox_status(sandbox_with({}, linux=linux))

    assert status.requested.net is NamespaceMode.NODE


def test_a_runtime_that_repeats_no_modes_leaves_them_absent() -> None:
    assert decode_pod_sandbox_status(b"").requested == RequestedNamespaces()


def test_a_spec_that_lists_no_namespaces_inherits_all_of_them() -> None:
    status = decode_pod_sandbox_status(sandbox_with({"pid": 7, "runtimeSpec": {"linux": {}}}))

    assert status.process.assigned == dict.fromkeys(NamespaceType, INHERITED)


def test_without_a_spec_nothing_is_claimed() -> None:
    status = decode_pod_sandbox_status(sandbox_with({"pid": 7}))

    assert status.process.pid == 7
    assert status.process.assigned == {}


def test_a_namespace_type_of_the_future_is_passed_over() -> None:
    namespaces = [{"type": "quantum"}, {"type": "mount"}]

    status = decode_pod_sandbox_status(
        sandbox_with({"runtimeSpec": {"linux": {"namespaces": namespaces}}})
    )

    assert status.process.assigned[NamespaceType.MNT] == NEW
    assert set(status.process.assigned) == set(NamespaceType)


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (0, ContainerState.CREATED),
        (1, ContainerState.RUNNING),
        (2, ContainerState.EXITED),
        (3, ContainerState.UNKNOWN),
        (42, ContainerState.UNKNOWN),
    ],
)
def test_a_containers_state_is_read(number: int, state: ContainerState) -> None:
    status = bytes([0x18, number])  # field 3 of ContainerStatus

    assert decode_container_status(b"\x0a\x02" + status).state is state


def test_sandboxes_are_listed() -> None:
    answer = pb.ListPodSandboxResponse(
        items=[
            pb.PodSandbox(
                id="s1",
                metadata=pb.PodSandboxMetadata(name="web", uid="u1", namespace="shop", attempt=1),
                runtime_handler="kata",
            ),
            pb.PodSandbox(id="s2", state=pb.SANDBOX_NOTREADY),
        ]
    )

    assert decode_pod_sandbox_list(answer.SerializeToString()) == (
        ListedSandbox(
            pod=PodRef(
                pod_sandbox_id="s1",
                k8s_namespace="shop",
                name="web",
                uid="u1",
                attempt=1,
                runtime_handler="kata",
            ),
            ready=True,
        ),
        ListedSandbox(pod=PodRef(pod_sandbox_id="s2"), ready=False),
    )


def test_containers_are_listed() -> None:
    answer = pb.ListContainersResponse(
        containers=[
            pb.Container(
                id="c1",
                pod_sandbox_id="s1",
                metadata=pb.ContainerMetadata(name="app", attempt=4),
                image=pb.ImageSpec(image="docker.io/local/app:1"),
                state=pb.CONTAINER_RUNNING,
            )
        ]
    )

    assert decode_container_list(answer.SerializeToString()) == (
        ListedContainer(
            pod_sandbox_id="s1",
            container=ContainerRef(
                container_id="c1", name="app", attempt=4, image="docker.io/local/app:1"
            ),
            state=ContainerState.RUNNING,
        ),
    )


@pytest.mark.parametrize(
    "decode",
    [
        decode_pod_sandbox_status,
        decode_container_status,
        decode_pod_sandbox_list,
        decode_container_list,
    ],
)
def test_what_is_no_answer_is_undecodable(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(UndecodableError):
        decode(b"\x0a\x7f")
