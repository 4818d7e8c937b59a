"""Messages of upstream's whole definition go through decoding and annotating without a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nsledger.cri.annotations import (
    AUDIT_ID,
    PREFIX,
    addition_to_create_container,
    addition_to_run_pod_sandbox,
)
from nsledger.cri.methods import Method
from nsledger.cri.status import decode_container_status, decode_pod_sandbox_status
from nsledger.cri.watched_requests import decode_create_container, decode_request
from tests.contract.upstream import PLANTED, Filler, Upstream

SEEDS = range(40)
ANNOTATIONS = {AUDIT_ID: "0123456789abcdef", PREFIX + "ns.net": "/proc/4711/ns/net"}

RECORDED = {
    "RunPodSandboxRequest": {
        "config.metadata.name",
        "config.metadata.uid",
        "config.metadata.namespace",
        "config.linux.security_context.namespace_options.target_id",
        "runtime_handler",
    },
    "CreateContainerRequest": {
        "pod_sandbox_id",
        "config.metadata.name",
        "config.image.image",
        "config.image.user_specified_image",
        "config.linux.security_context.namespace_options.target_id",
        "sandbox_config.metadata.name",
        "sandbox_config.metadata.uid",
        "sandbox_config.metadata.namespace",
    },
    "StartContainerRequest": {"container_id"},
    "StopContainerRequest": {"container_id"},
    "RemoveContainerRequest": {"container_id"},
    "StopPodSandboxRequest": {"pod_sandbox_id"},
    "RemovePodSandboxRequest": {"pod_sandbox_id"},
}
"""The only texts of a request that may come out of it."""

TOLD = {
    "PodSandboxStatusResponse": {
        "status.id",
        "status.metadata.name",
        "status.metadata.uid",
        "status.metadata.namespace",
        "status.network.ip",
        "status.network.additional_ips.ip",
        "status.linux.namespaces.options.target_id",
        "status.runtime_handler",
    },
    "ContainerStatusResponse": {
        "status.id",
        "status.metadata.name",
        "status.image.image",
        "status.image.user_specified_image",
    },
}
"""The only texts of a status, beside its `info`, that may come out of it."""

pytestmark = pytest.mark.upstream_proto


def filled(upstream: Upstream, name: str, seed: int) -> tuple[Any, Filler]:
    """A message of upstream's with values in it: seed 0 has every field."""
    message = upstream.class_of(name)()
    filler = Filler(seed, every_field=seed == 0)
    filler.fill(message)
    return message, filler


@pytest.mark.parametrize("seed", SEEDS)
def test_annotating_a_sandbox_keeps_every_field_that_upstream_knows(
    seed: int, upstream: Upstream
) -> None:
    sent, _ = filled(upstream, "RunPodSandboxRequest", seed)
    before = sent.SerializeToString()

    after = before + addition_to_run_pod_sandbox(before, ANNOTATIONS)

    sent.config.annotations.update(ANNOTATIONS)
    assert type(sent).FromString(after) == sent
    assert after.startswith(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_annotating_a_container_keeps_every_field_that_upstream_knows(
    seed: int, upstream: Upstream
) -> None:
    sent, _ = filled(upstream, "CreateContainerRequest", seed)
    sent.config.SetInParent()
    before = sent.SerializeToString()

    after = before + addition_to_create_container(
        before,
        ANNOTATIONS,
        has_sandbox_config=decode_create_container(before).has_sandbox_config,
    )

    sent.config.annotations.update(ANNOTATIONS)
    if sent.HasField("sandbox_config"):
        sent.sandbox_config.annotations.update(ANNOTATIONS)
    assert type(sent).FromString(after) == sent
    assert after.startswith(before)


def test_an_environment_that_is_not_utf8_goes_through(upstream: Upstream) -> None:
    """`KeyValue.value` was a string once and is bytes today."""
    sent = upstream.class_of("CreateContainerRequest")()
    sent.config.envs.add(key="KEY", value="PLACE")
    before = sent.SerializeToString().replace(b"PLACE", b"\xff\xfe\x00\x80\xc0")

    decode_create_container(before)
    after = before + addition_to_create_container(before, ANNOTATIONS, has_sandbox_config=False)

    assert after.startswith(before)
    assert b"\xff\xfe\x00\x80\xc0" in after


@pytest.mark.parametrize("method", [method for method in Method if method != "RestorePod"])
def test_nothing_of_a_request_but_the_allow_list_comes_out_of_it(
    method: Method, upstream: Upstream
) -> None:
    name = f"{method}Request"
    sent, filler = filled(upstream, name, seed=0)

    shown = repr(decode_request(method, sent.SerializeToString()))

    found = {path for text, path in filler.texts.items() if text in shown}
    # The image is shown in the author's words, and only without them as the digest.
    assert found == RECORDED[name] - {"config.image.image"}
    assert shown.count(PLANTED) == len(found)


@pytest.mark.parametrize(
    ("name", "decode"),
    [
        ("PodSandboxStatusResponse", decode_pod_sandbox_status),
        ("ContainerStatusResponse", decode_container_status),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_a_status_but_the_allow_list_comes_out_of_it(
    name: str, decode: Callable[[bytes], object], seed: int, upstream: Upstream
) -> None:
    sent, filler = filled(upstream, name, seed)
    sent.info.clear()

    shown = repr(decode(sent.SerializeToString()))

    found = {path for text, path in filler.texts.items() if text in shown}
    assert found <= TOLD[name]
    assert seed != 0 or found == TOLD[name] - {"status.image.image"}
