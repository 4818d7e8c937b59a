from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.cri.annotations import (
    ContainerAnnotations,
    addition_to_create_container,
    addition_to_run_pod_sandbox,
    container_annotations,
)
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.model.namespaces import NEW, NamespaceType

OURS = {"nsledger.dev/audit-id": "a1", "nsledger.dev/ns.net": "/proc/4711/ns/net"}
FOREIGN = {"app": "shop", "nsledger.dev.example/x": "theirs", "nsledger": "theirs"}
FORGED = {"nsledger.dev/audit-id": "forged", "nsledger.dev/verdict": "match"}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
foreign_annotations = st.dictionaries(
    texts.filter(lambda key: not key.startswith("nsledger.dev/")), texts, max_size=5
)


def sandbox(annotations: dict[str, str]) -> bytes:
    return pb.RunPodSandboxRequest(
        config=pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name="web"), annotations=annotations
        ),
        runtime_handler="runc",
    ).SerializeToString()


def container(annotations: dict[str, str], *, of_pod: dict[str, str] | None) -> bytes:
    request = pb.CreateContainerRequest(
        pod_sandbox_id="s1",
        config=pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name="app"), annotations=annotations
        ),
    )
    if of_pod is not None:
        request.sandbox_config.metadata.name = "web"
        request.sandbox_config.annotations.update(of_pod)
    return request.SerializeToString()


@given(foreign=foreign_annotations, unknown=st.binary(max_size=30))
def test_a_sandbox_keeps_its_bytes_and_gains_our_annotations(
    foreign: dict[str, str], unknown: bytes
) -> None:
    # Field 2000, which nobody knows, at the end of the request.
    sent = sandbox(foreign) + b"\x82\x7d" + bytes([len(unknown)]) + unknown

    received = sent + addition_to_run_pod_sandbox(sent, OURS)

    read = pb.RunPodSandboxRequest.FromString(received)
    assert read.config.annotations == foreign | OURS
    assert read.config.metadata.name == "web"
    assert read.runtime_handler == "runc"


@given(foreign=foreign_annotations, of_pod=foreign_annotations)
def test_a_container_gains_our_annotations_in_both_configs(
    foreign: dict[str, str], of_pod: dict[str, str]
) -> None:
    sent = container(foreign, of_pod=of_pod)

    received = sent + addition_to_create_container(sent, OURS, has_sandbox_config=True)

    read = pb.CreateContainerRequest.FromString(received)
    assert read.config.annotations == foreign | OURS
    assert read.sandbox_config.annotations == of_pod | OURS
    assert read.sandbox_config.metadata.name == "web"


def test_a_request_without_sandbox_config_does_not_get_one() -> None:
    sent = container(FOREIGN, of_pod=None)
    received = sent + addition_to_create_container(sent, OURS, has_sandbox_config=False)

    read = pb.CreateContainerRequest.FromString(received)
    assert not read.HasField("sandbox_config")
    assert read.config.annotations == FOREIGN | OURS


def test_nobody_can_write_in_our_name_on_a_sandbox() -> None:
    sent = sandbox(FOREIGN | FORGED)

    received = sent + addition_to_run_pod_sandbox(sent, OURS)

    read = pb.RunPodSandboxRequest.FromString(received)
    assert read.config.annotations == FOREIGN | OURS | {"nsledger.dev/verdict": ""}


@pytest.mark.parametrize("where", ["container", "pod"])
def test_nobody_can_write_in_our_name_on_a_container(where: str) -> None:
    emptied = {"nsledger.dev/verdict": ""}
    own = FORGED if where == "container" else {}
    of_pod = FORGED if where == "pod" else {}

    sent = container(own, of_pod=of_pod)
    received = sent + addition_to_create_container(sent, OURS, has_sandbox_config=True)

    read = pb.CreateContainerRequest.FromString(received)
    assert read.config.annotations == OURS | (emptied if own else {})
    assert read.sandbox_config.annotations == OURS | (emptied if of_pod else {})


def test_with_nothing_to_add_the_bytes_are_the_same() -> None:
    of_sandbox = sandbox(FOREIGN | FORGED)
    of_container = container(FOREIGN | FORGED, of_pod=FORGED)

    assert addition_to_run_pod_sandbox(of_sandbox, {}) == b""
    assert addition_to_create_container(of_container, {}, has_sandbox_config=True) == b""


@pytest.mark.parametrize("of_pod", [None, FOREIGN, FORGED])
@pytest.mark.parametrize("own", [FOREIGN, FORGED])
def test_an_addition_that_was_encoded_before_is_the_same_with_its_audit_id(
    own: dict[str, str], of_pod: dict[str, str] | None
) -> None:
    predicted = {NamespaceType.NET: "/proc/4711/ns/net", NamespaceType.MNT: NEW}
    annotations = ContainerAnnotations(predicted)
    sent = container(own, of_pod=of_pod)

    for audit_id in ("0123456789abcdef", "fedcba9876543210"):
        received = sent + annotations.addition_to(
            sent, audit_id, has_sandbox_config=of_pod is not None
        )

        one_by_one = sent + addition_to_create_container(
            sent,
            container_annotations(audit_id, predicted),
            has_sandbox_config=of_pod is not None,
        )
        read = pb.CreateContainerRequest.FromString(received)
        assert read == pb.CreateContainerRequest.FromString(one_by_one)
        assert read.config.annotations["nsledger.dev/audit-id"] == audit_id
