"""What the runtime answered to the watched calls that create something.

The answers to the other watched calls are empty messages: that they came is all they say.
"""

from __future__ import annotations

from dataclasses import dataclass

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import parse


@dataclass(frozen=True, slots=True)
class RestoredPod:
    """The ids of what RestorePod made; the containers wait for StartContainer."""

    pod_sandbox_id: str
    container_ids: dict[str, str]
    """By the container's name."""


def decode_run_pod_sandbox_answer(message: bytes) -> str:
    """The new sandbox's `pod_sandbox_id`.

    Raises:
        UndecodableError: it is no RunPodSandboxResponse.
    """
    return parse(pb.RunPodSandboxResponse, message).pod_sandbox_id


def decode_create_container_answer(message: bytes) -> str:
    """The new container's `container_id`.

    Raises:
        UndecodableError: it is no CreateContainerResponse.
    """
    return parse(pb.CreateContainerResponse, message).container_id


def decode_restore_pod_answer(message: bytes) -> RestoredPod:
    """The ids of the restored sandbox and of its containers.

    Raises:
        UndecodableError: it is no RestorePodResponse.
    """
    answer = parse(pb.RestorePodResponse, message)
    return RestoredPod(
        pod_sandbox_id=answer.pod_sandbox_id,
        container_ids={made.name: made.container_id for made in answer.restored_containers},
    )
