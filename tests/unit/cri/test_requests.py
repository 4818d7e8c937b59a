from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import UndecodableError
from nsledger.cri.methods import Method
from nsledger.cri.watched_requests import (
    ContainerToRestore,
    CreateContainer,
    RemoveContainer,
    RemovePodSandbox,
    RestorePod,
    RunPodSandbox,
    StartContainer,
    StopContainer,
    StopPodSandbox,
    decode_create_container,
    decode_request,
    decode_run_pod_sandbox,
)
from nsledger.model.namespaces import NamespaceMode, RequestedNamespaces
from nsledger.model.refs import ContainerRef, PodRef

POD_CONFIG = pb.PodSandboxConfig(
    metadata=pb.PodSandboxMetadata(name="web", uid="u1", namespace="shop", attempt=3),
    annotations={"foreign": "planted-secret"},
    linux=pb.LinuxPodSandboxConfig(
        security_context=pb.LinuxSandboxSecurityContext(
            namespace_options=pb.NamespaceOption(pid=pb.CONTAINER, network=pb.NODE)
        )
    ),
)
CONTAINER_CONFIG = pb.ContainerConfig(
    metadata=pb.ContainerMetadata(name="app", attempt=1),
    image=pb.ImageSpec(image="docker.io/local/app:1"),
    annotations={"foreign": "planted-secret"},
    linux=pb.LinuxContainerConfig(
        security_context=pb.LinuxContainerSecurityContext(
            privileged=True, namespace_options=pb.NamespaceOption(pid=pb.TARGET, target_id="c0")
        )
    ),
)
POD = PodRef(k8s_namespace="shop", name="web", uid="u1", attempt=3)
POD_REQUESTED = RequestedNamespaces(
    net=NamespaceMode.NODE, pid=NamespaceMode.CONTAINER, ipc=NamespaceMode.POD
)
CONTAINER = ContainerRef(name="app", attempt=1, image="docker.io/local/app:1")
CONTAINER_REQUESTED = RequestedNamespaces(
    net=NamespaceMode.POD, pid=NamespaceMode.TARGET, ipc=NamespaceMode.POD, target_id="c0"
)


def test_a_sandbox_is_decoded() -> None:
    message = pb.RunPodSandboxRequest(config=POD_CONFIG, runtime_handler="kata")

    asked = decode_request(Method.RUN_POD_SANDBOX, message.SerializeToString())

    assert asked == RunPodSandbox(
        pod=PodRef(k8s_namespace="shop", name="web", uid="u1", attempt=3, runtime_handler="kata"),
        requested=POD_REQUESTED,
    )


def test_a_container_is_decoded() -> None:
    message = pb.CreateContainerRequest(
        pod_sandbox_id="s1", config=CONTAINER_CONFIG, sandbox_config=POD_CONFIG
    )

    asked = decode_request(Method.CREATE_CONTAINER, message.SerializeToString())

    assert asked == CreateContainer(
        pod=PodRef(pod_sandbox_id="s1", k8s_namespace="shop", name="web", uid="u1", attempt=3),
        container=CONTAINER,
        requested=CONTAINER_REQUESTED,
        privileged=True,
        has_sandbox_config=True,
    )


def test_a_container_without_sandbox_config_still_names_its_sandbox() -> None:
    message = pb.CreateContainerRequest(pod_sandbox_id="s1", config=CONTAINER_CONFIG)

    asked = decode_create_container(message.SerializeToString())

    assert asked.pod == PodRef(pod_sandbox_id="s1")
    assert not asked.has_sandbox_config


def test_a_pod_to_restore_is_decoded_with_its_containers() -> None:
    message = pb.RestorePodRequest(config=POD_CONFIG, container_configs=[CONTAINER_CONFIG])

    asked = decode_request(Method.RESTORE_POD, message.SerializeToString())

    assert asked == RestorePod(
        pod=POD,
        requested=POD_REQUESTED,
        containers=(
            ContainerToRestore(container=CONTAINER, requested=CONTAINER_REQUESTED, privileged=True),
        ),
    )


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Method.STOP_POD_SANDBOX, StopPodSandbox("x1")),
        (Method.REMOVE_POD_SANDBOX, RemovePodSandbox("x1")),
        (Method.START_CONTAINER, StartContainer("x1")),
        (Method.STOP_CONTAINER, StopContainer("x1")),
        (Method.REMOVE_CONTAINER, RemoveContainer("x1")),
    ],
)
def test_the_other_requests_name_what_they_are_about(method: Method, expected: object) -> None:
    assert decode_request(method, b"\x0a\x02x1") == expected


def test_without_namespace_options_nothing_was_requested() -> None:
    """An absent message reads POD for everything; that is not what was said."""
    config = pb.PodSandboxConfig(metadata=pb.PodSandboxMetadata(name="web"))
    message = pb.RunPodSandboxRequest(config=config).SerializeToString()

    assert decode_run_pod_sandbox(message).requested == RequestedNamespaces()


@pytest.mark.parametrize("method", [Method.RUN_POD_SANDBOX, Method.CREATE_CONTAINER])
def test_a_request_without_config_is_undecodable(method: Method) -> None:
    with pytest.raises(UndecodableError, match="without config"):
        decode_request(method, b"")


def test_nobodys_annotations_come_out_of_a_request() -> None:
    message = pb.CreateContainerRequest(config=CONTAINER_CONFIG, sandbox_config=POD_CONFIG)

    assert "planted-secret" not in repr(decode_create_container(message.SerializeToString()))


@given(method=st.sampled_from(Method), message=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_undecodable(method: Method, message: bytes) -> None:
    try:
        decode_request(method, message)
    except UndecodableError as error:
        assert error.message_type == f"{method}Request"  # noqa: PT017  either outcome is right
