from __future__ import annotations

import traceback

import pytest

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import (
    UndecodableError,
    container_ref,
    parse,
    pod_ref,
    requested_namespaces,
)
from nsledger.model.namespaces import IdMapping, NamespaceMode, NamespaceType
from nsledger.model.refs import ContainerRef, PodRef


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a\x7fplanted-secret",  # a length beyond the end
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # a varint without an end
        b"\x12\x0eplanted-\xff\xfe\xff\xfe\xff\xfe",  # a string that is not UTF-8
    ],
)
def test_what_is_no_message_raises_an_error_that_shows_nothing_of_it(message: bytes) -> None:
    with pytest.raises(UndecodableError) as caught:
        parse(pb.RunPodSandboxRequest, message)

    assert caught.value.message_type == "RunPodSandboxRequest"
    assert "planted" not in "".join(traceback.format_exception(caught.value))


def test_a_message_of_zeros_asks_for_pod_and_for_no_user_namespace() -> None:
    requested = requested_namespaces(pb.NamespaceOption())

    for type_ in (NamespaceType.NET, NamespaceType.PID, NamespaceType.IPC):
        assert requested.mode(type_) is NamespaceMode.POD
    assert requested.user is None
    assert requested.target_id is None


@pytest.mark.parametrize("mode", NamespaceMode)
def test_every_mode_keeps_its_name(mode: NamespaceMode) -> None:
    options = pb.NamespaceOption(pid=pb.NamespaceMode.Value(mode.value))

    assert requested_namespaces(options).pid is mode


def test_a_mode_without_a_name_stays_a_number() -> None:
    options = pb.NamespaceOption.FromString(b"\x10\x2a")  # field 2, pid: 42

    assert requested_namespaces(options).pid == 42


def test_an_absent_user_namespace_and_one_of_zeros_are_two_things() -> None:
    absent = requested_namespaces(pb.NamespaceOption())
    zeros = requested_namespaces(pb.NamespaceOption(userns_options=pb.UserNamespace()))

    assert absent.mode(NamespaceType.USER) is None
    assert zeros.mode(NamespaceType.USER) is NamespaceMode.POD


def test_the_mappings_of_a_user_namespace_are_kept() -> None:
    options = pb.NamespaceOption(
        userns_options=pb.UserNamespace(
            mode=pb.POD,
            uids=[pb.IDMapping(host_id=200000, container_id=0, length=65536)],
            gids=[pb.IDMapping(host_id=300000, container_id=1, length=2)],
        )
    )

    user = requested_namespaces(options).user

    assert user is not None
    assert user.uids == (IdMapping(container_id=0, host_id=200000, length=65536),)
    assert user.gids == (IdMapping(container_id=1, host_id=300000, length=2),)


def test_the_container_that_target_names_is_kept() -> None:
    options = pb.NamespaceOption(pid=pb.TARGET, target_id="c1")

    requested = requested_namespaces(options)

    assert (requested.pid, requested.target_id) == (NamespaceMode.TARGET, "c1")


def test_a_pod_without_metadata_is_empty() -> None:
    assert pod_ref(pb.PodSandboxMetadata(), pod_sandbox_id="s") == PodRef(pod_sandbox_id="s")


def test_the_image_is_named_as_the_pods_author_did() -> None:
    metadata = pb.ContainerMetadata(name="app", attempt=2)
    told = pb.ImageSpec(image="sha256:1234", user_specified_image="registry.example/app:1")

    assert container_ref(metadata, told) == ContainerRef(
        name="app", attempt=2, image="registry.example/app:1"
    )
    assert container_ref(metadata, pb.ImageSpec(image="sha256:1234")).image == "sha256:1234"
