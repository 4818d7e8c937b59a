"""What a runtime tells of sandboxes and containers: their process, and the layer *assigned*."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import container_ref, parse, pod_ref, requested_namespaces
from nsledger.cri.verbose_status import (
    INFO_KEY,
    ContainerInfo,
    OciIdMapping,
    SandboxInfo,
    SandboxMetadata,
    binary_name_in,
    container_info,
    interfaces_in,
    requested_in,
    sandbox_info,
)
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    IdMapping,
    NamespaceType,
    RequestedNamespaces,
    assigned_by_oci,
)
from nsledger.model.refs import ContainerRef, PodRef


class ContainerState(enum.StrEnum):
    """CRI's `ContainerState`, by its names."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    EXITED = "EXITED"
    UNKNOWN = "UNKNOWN"
    """CRI's own word, and what a number without a name reads as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """A process, and the namespaces that its OCI spec assigns to it."""

    pid: int | None
    """In the host's pid namespace; None before the start, after the end, or if it was not told."""
    assigned: AssignedNamespaces
    """Empty if no OCI spec was told."""
    uid_mappings: tuple[IdMapping, ...]
    gid_mappings: tuple[IdMapping, ...]
    runtime_type: str = ""
    """containerd's name of the shim that runs it; empty where none was told, as by CRI-O."""
    binary_name: str = ""
    """The OCI runtime's program, where the runtime handler names one; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """A pod sandbox, as the runtime tells of it."""

    pod: PodRef
    ready: bool
    requested: RequestedNamespaces
    """As the runtime repeats it: the request itself where its JSON has it (containerd), else the
    status' own field, which some runtimes fill with defaults."""
    process: ProcessStatus
    netns_path: str
    """Where the network namespace is mounted; empty if it is the host's or was not told."""
    ips: tuple[str, ...]
    """None with the host's network, and none any more once it is stopped."""
    host_interfaces: tuple[str, ...] = ()
    """What CNI plugins made for it in the node's own network namespace, or use of it there: its
    veth's other end, and the bridge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """A container, as the runtime tells of it."""

    pod_sandbox_id: str
    """Empty in an answer that is not verbose."""
    container: ContainerRef
    state: ContainerState
    finished_ns: int | None = None
    """Unix time; None while it runs, and where the runtime does not say."""
    process: ProcessStatus
    requested: RequestedNamespaces | None = None
    """As the runtime repeats it; CRI-O does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSandbox:
    """An item of ListPodSandbox."""

    pod: PodRef
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedContainer:
    """An item of ListContainers."""

    pod_sandbox_id: str
    container: ContainerRef
    state: ContainerState


def decode_pod_sandbox_status(message: bytes) -> SandboxStatus:
    """The sandbox that a PodSandboxStatusResponse, verbose or not, tells of.

    Raises:
        UndecodableError: it is no such message, or its `info` is of no known shape.
    """
    answer = parse(pb.PodSandboxStatusResponse, message)
    status, told = answer.status, sandbox_info(answer.info)
    wrapped = told.sandbox_metadata
    metadata = (wrapped.metadata if wrapped else None) or SandboxMetadata()
    process = _process(told)
    handler = status.runtime_handler or told.runtime_handler or metadata.runtime_handler
    return SandboxStatus(
        pod=pod_ref(status.metadata, pod_sandbox_id=status.id, runtime_handler=handler),
        ready=status.state == pb.SANDBOX_READY,
        requested=_requested(answer),
        process=process,
        netns_path=metadata.netns_path or _path_of(NamespaceType.NET, process.assigned),
        ips=_ips(status.network),
        host_interfaces=_host_interfaces(told),
    )


def decode_container_status(message: bytes) -> ContainerStatus:
    """The container that a ContainerStatusResponse, verbose or not, tells of.

    Raises:
        UndecodableError: it is no such message, or its `info` is of no known shape.
    """
    answer = parse(pb.ContainerStatusResponse, message)
    status, told = answer.status, container_info(answer.info)
    return ContainerStatus(
        pod_sandbox_id=told.sandbox_id,
        container=container_ref(status.metadata, status.image, container_id=status.id),
        state=_state(status.state),
        finished_ns=status.finished_at if status.finished_at > 0 else None,
        process=_process(told),
        requested=requested_in(answer.info.get(INFO_KEY, "")),
    )


def decode_pod_sandbox_list(message: bytes) -> tuple[ListedSandbox, ...]:
    """The sandboxes that a ListPodSandboxResponse lists.

    Raises:
        UndecodableError: it is no such message.
    """
    return tuple(
        ListedSandbox(
            pod=pod_ref(
                item.metadata, pod_sandbox_id=item.id, runtime_handler=item.runtime_handler
            ),
            ready=item.state == pb.SANDBOX_READY,
        )
        for item in parse(pb.ListPodSandboxResponse, message).items
    )


def decode_container_list(message: bytes) -> tuple[ListedContainer, ...]:
    """The containers that a ListContainersResponse lists.

    Raises:
        UndecodableError: it is no such message.
    """
    return tuple(
        ListedContainer(
            pod_sandbox_id=item.pod_sandbox_id,
            container=container_ref(item.metadata, item.image, container_id=item.id),
            state=_state(item.state),
        )
        for item in parse(pb.ListContainersResponse, message).containers
    )


_STATES: Final = {
    pb.CONTAINER_CREATED: ContainerState.CREATED,
    pb.CONTAINER_RUNNING: ContainerState.RUNNING,
    pb.CONTAINER_EXITED: ContainerState.EXITED,
}


def _state(number: pb.ContainerState.ValueType) -> ContainerState:
    return _STATES.get(number, ContainerState.UNKNOWN)


def _process(told: SandboxInfo | ContainerInfo) -> ProcessStatus:
    linux = told.runtime_spec.linux if told.runtime_spec else None
    entries = (linux.namespaces or ()) if linux else ()
    return ProcessStatus(
        pid=told.pid or None,
        assigned=assigned_by_oci([(one.type, one.path) for one in entries]) if linux else {},
        uid_mappings=_mappings(linux.uid_mappings if linux else None),
        gid_mappings=_mappings(linux.gid_mappings if linux else None),
        runtime_type=told.runtime_type,
        binary_name=binary_name_in(told.runtime_options),
    )


def _mappings(lines: list[OciIdMapping] | None) -> tuple[IdMapping, ...]:
    return tuple(
        IdMapping(container_id=line.container_id, host_id=line.host_id, length=line.size)
        for line in lines or ()
    )


def _path_of(type_: NamespaceType, assigned: AssignedNamespaces) -> str:
    assignment = assigned.get(type_, INHERITED)
    return "" if assignment in {NEW, INHERITED} else assignment


def _requested(answer: pb.PodSandboxStatusResponse) -> RequestedNamespaces:
    repeated = requested_in(answer.info.get(INFO_KEY, ""))
    if repeated is not None:
        return repeated
    options = answer.status.linux.namespaces
    if not options.HasField("options"):
        return RequestedNamespaces()
    return requested_namespaces(options.options)


def _host_interfaces(told: SandboxInfo) -> tuple[str, ...]:
    notes = told.runtime_spec.annotations if told.runtime_spec else None
    if told.cni_result is None and notes is not None:
        return interfaces_in(notes.crio_cni_result)
    interfaces = (told.cni_result.interfaces if told.cni_result else None) or {}
    return tuple(name for name, one in interfaces.items() if one is not None and not one.sandbox)


def _ips(network: pb.PodSandboxNetworkStatus) -> tuple[str, ...]:
    return tuple(ip for ip in (network.ip, *(other.ip for other in network.additional_ips)) if ip)
