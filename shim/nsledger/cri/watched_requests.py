"""What the watched requests ask for, as an allow-list: a field that is not here is never recorded.

A message that can't be decoded raises `UndecodableError`; the interceptor lets the call pass and
writes a gap.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import (
    UndecodableError,
    container_ref,
    parse,
    pod_ref,
    requested_namespaces,
)
from nsledger.cri.methods import Method
from nsledger.model.namespaces import RequestedNamespaces
from nsledger.model.refs import ContainerRef, PodRef


class RunPodSandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A pod sandbox is asked for."""

    pod: PodRef
    requested: RequestedNamespaces


class CreateContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A container is asked for, in a sandbox that is there."""

    pod: PodRef
    """`pod_sandbox_id` always; the rest where the request has a sandbox_config."""
    container: ContainerRef
    requested: RequestedNamespaces
    privileged: bool
    has_sandbox_config: bool


class ContainerToRestore(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a RestorePod."""

    container: ContainerRef
    requested: RequestedNamespaces
    privileged: bool


class RestorePod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod sandbox and its containers are asked for, from a checkpoint."""

    pod: PodRef
    requested: RequestedNamespaces
    containers: tuple[ContainerToRestore, ...]


class StopPodSandbox(msgspec.Struct, frozen=True):
    """The sandbox and its containers are to end."""

    pod_sandbox_id: str


class RemovePodSandbox(msgspec.Struct, frozen=True):
    """The sandbox and its containers are to be forgotten."""

    pod_sandbox_id: str


class StartContainer(msgspec.Struct, frozen=True):
    """A created container is to get its process."""

    container_id: str


class StopContainer(msgspec.Struct, frozen=True):
    """The container's process is to end."""

    container_id: str


class RemoveContainer(msgspec.Struct, frozen=True):
    """The container is to be forgotten."""

    container_id: str


Request = (
    RunPodSandbox
    | StopPodSandbox
    | RemovePodSandbox
    | CreateContainer
    | StartContainer
    | StopContainer
    | RemoveContainer
    | RestorePod
)


def decode_request(method: Method, message: bytes) -> Request:
    """The request of one call of `method`.

    Raises:
        UndecodableError: `message` is not `method`'s request, or has no config where it needs one.
    """
    match method:
        case Method.RUN_POD_SANDBOX:
            return decode_run_pod_sandbox(message)
        case Method.CREATE_CONTAINER:
            return decode_create_container(message)
        case Method.RESTORE_POD:
            return _decode_restore_pod(message)
        case Method.STOP_POD_SANDBOX:
            return StopPodSandbox(parse(pb.StopPodSandboxRequest, message).pod_sandbox_id)
        case Method.REMOVE_POD_SANDBOX:
            return RemovePodSandbox(parse(pb.RemovePodSandboxRequest, message).pod_sandbox_id)
        case Method.START_CONTAINER:
            return StartContainer(parse(pb.StartContainerRequest, message).container_id)
        case Method.STOP_CONTAINER:
            return StopContainer(parse(pb.StopContainerRequest, message).container_id)
        case Method.REMOVE_CONTAINER:
            return RemoveContainer(parse(pb.RemoveContainerRequest, message).container_id)
        case _:
            assert_never(method)


def decode_run_pod_sandbox(message: bytes) -> RunPodSandbox:
    """The pod that a RunPodSandboxRequest asks for.

    Raises:
        UndecodableError: it is no such request, or has no config.
    """
    request = parse(pb.RunPodSandboxRequest, message)
    if not request.HasField("config"):
        raise UndecodableError(message_type="RunPodSandboxRequest", reason="without config")
    return RunPodSandbox(
        pod=pod_ref(request.config.metadata, runtime_handler=request.runtime_handler),
        requested=_requested_by(request.config.linux.security_context),
    )


def decode_create_container(message: bytes) -> CreateContainer:
    """The container that a CreateContainerRequest asks for.

    Raises:
        UndecodableError: it is no such request, or has no config.
    """
    request = parse(pb.CreateContainerRequest, message)
    if not request.HasField("config"):
        raise UndecodableError(message_type="CreateContainerRequest", reason="without config")
    config = request.config
    return CreateContainer(
        pod=pod_ref(request.sandbox_config.metadata, pod_sandbox_id=request.pod_sandbox_id),
        container=container_ref(config.metadata, config.image),
        requested=_requested_by(config.linux.security_context),
        privileged=config.linux.security_context.privileged,
        has_sandbox_config=request.HasField("sandbox_config"),
    )


def _decode_restore_pod(message: bytes) -> RestorePod:
    request = parse(pb.RestorePodRequest, message)
    return RestorePod(
        pod=pod_ref(request.config.metadata, runtime_handler=request.runtime_handler),
        requested=_requested_by(request.config.linux.security_context),
        containers=tuple(
            ContainerToRestore(
                container=container_ref(config.metadata, config.image),
                requested=_requested_by(config.linux.security_context),
                privileged=config.linux.security_context.privileged,
            )
            for config in request.container_configs
        ),
    )


def _requested_by(
    context: pb.LinuxSandboxSecurityContext | pb.LinuxContainerSecurityContext,
) -> RequestedNamespaces:
    if not context.HasField("namespace_options"):
        return RequestedNamespaces()
    return requested_namespaces(context.namespace_options)
