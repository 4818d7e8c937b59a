"""The JSON under the key `info` of a verbose status: what is picked from it, and what never is.

It holds the whole OCI spec and CRI config, the pod's environment, arguments and annotations
included. The decoder is typed: it walks over what is not declared here without making an object of
it.

Shapes, by the sources of containerd 1.6 to 2.4 and by CRI-O's documentation:

- `pid` and `runtimeSpec.linux.namespaces` are everywhere, but either may be missing: a sandbox in a
  VM has no process on this kernel, and containerd >= 2.3 puts an `info` full of zeros even into an
  answer that is not verbose;
- CRI-O tells `pid` and `runtimeSpec` and nothing else of a process: no runtime type, no `config`.
  Of a sandbox without a process (its default) there is no `pid` either. What CNI made stands in
  an annotation of the spec;
- `sandboxMetadata` came with containerd 2.0. Before it, the runtime handler stood beside the pid,
  and the network namespace's path is in the OCI spec alone (1.7 with a user namespace: nowhere).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from nsledger import bounds
from nsledger.cri.messages import UndecodableError, namespace_mode
from nsledger.model.namespaces import (
    IdMapping,
    ProcessId,
    RequestedNamespaces,
    UserId,
    UserNamespaceRequest,
)


class OciNamespace(msgspec.Struct, frozen=True):
    """An entry of `linux.namespaces` (runtime-spec, config-linux.md)."""

    type: str
    """OCI's name: `network` and `mount`, not `net` and `mnt`."""
    path: str = ""
    """Empty: a new namespace."""


class OciIdMapping(msgspec.Struct, frozen=True):
    """An entry of `linux.uidMappings` or `linux.gidMappings`."""

    container_id: UserId = msgspec.field(name="containerID")
    host_id: UserId = msgspec.field(name="hostID")
    size: UserId


class OciLinux(msgspec.Struct, frozen=True):
    """The part `linux` of an OCI spec."""

    namespaces: list[OciNamespace] | None = None
    uid_mappings: list[OciIdMapping] | None = msgspec.field(name="uidMappings", default=None)
    gid_mappings: list[OciIdMapping] | None = msgspec.field(name="gidMappings", default=None)


class OciAnnotations(msgspec.Struct, frozen=True):
    """Those that the runtime itself makes, and of them only what is needed here."""

    crio_cni_result: str = msgspec.field(name="io.kubernetes.cri-o.CNIResult", default="")
    """JSON of a CNI result (CNI spec 0.3 to 1.1), where `interfaces` is a list."""


class OciSpec(msgspec.Struct, frozen=True):
    """An OCI spec, without what a pod's author put into it."""

    linux: OciLinux | None = None
    annotations: OciAnnotations | None = None


class SandboxMetadata(msgspec.Struct, frozen=True):
    """containerd's own notes on a sandbox."""

    netns_path: str = msgspec.field(name="NetNSPath", default="")
    runtime_handler: str = msgspec.field(name="RuntimeHandler", default="")


class CniInterface(msgspec.Struct, frozen=True):
    """An interface that CNI plugins made, by its name; addresses are told by the status itself."""

    sandbox: str = msgspec.field(name="Sandbox", default="")
    """Path of the network namespace that it is in; empty for the node's own."""


class CniResult(msgspec.Struct, frozen=True):
    """What the CNI plugins of a sandbox said that they made."""

    interfaces: dict[str, CniInterface | None] | None = msgspec.field(
        name="Interfaces", default=None
    )


class _ListedInterface(msgspec.Struct, frozen=True):
    name: str = ""
    sandbox: str = ""


class _ListedCniResult(msgspec.Struct, frozen=True):
    interfaces: list[_ListedInterface] | None = None


_decode_cni_result: Final = msgspec.json.Decoder(_ListedCniResult).decode


def interfaces_in(cni_result: str) -> tuple[str, ...]:
    """The interfaces that a CNI result as JSON puts on the node itself; none if it is not one."""
    try:
        listed = _decode_cni_result(cni_result).interfaces if cni_result else None
    except msgspec.DecodeError:
        return ()
    return tuple(one.name for one in listed or () if not one.sandbox)


class _RuntimeOptions(msgspec.Struct, frozen=True):
    binary_name: str = ""


_decode_options: Final = msgspec.json.Decoder(_RuntimeOptions).decode
_NO_OPTIONS: Final = msgspec.Raw(b"{}")


def binary_name_in(runtime_options: msgspec.Raw) -> str:
    """The OCI runtime's program, where a runtime handler has one of its own (`BinaryName`)."""
    try:
        return _decode_options(runtime_options).binary_name
    except msgspec.DecodeError:
        return ""  # another shim's options, or none


class VersionedSandboxMetadata(msgspec.Struct, frozen=True):
    """The wrapping that containerd stores its notes in."""

    metadata: SandboxMetadata | None = msgspec.field(name="Metadata", default=None)


class SandboxInfo(msgspec.Struct, frozen=True):
    """Of a PodSandboxStatusResponse."""

    pid: ProcessId = 0
    runtime_type: str = msgspec.field(name="runtimeType", default="")
    """containerd's name of the shim that runs it, such as `io.containerd.runc.v2`."""
    runtime_options: msgspec.Raw = msgspec.field(name="runtimeOptions", default=_NO_OPTIONS)
    runtime_spec: OciSpec | None = msgspec.field(name="runtimeSpec", default=None)
    runtime_handler: str = msgspec.field(name="runtimeHandler", default="")
    sandbox_metadata: VersionedSandboxMetadata | None = msgspec.field(
        name="sandboxMetadata", default=None
    )
    cni_result: CniResult | None = msgspec.field(name="cniResult", default=None)


class ContainerInfo(msgspec.Struct, frozen=True):
    """Of a ContainerStatusResponse."""

    pid: ProcessId = 0
    runtime_type: str = msgspec.field(name="runtimeType", default="")
    """containerd's name of the shim that runs it, such as `io.containerd.runc.v2`."""
    runtime_options: msgspec.Raw = msgspec.field(name="runtimeOptions", default=_NO_OPTIONS)
    runtime_spec: OciSpec | None = msgspec.field(name="runtimeSpec", default=None)
    sandbox_id: str = msgspec.field(name="sandboxID", default="")


INFO_KEY: Final = "info"
_sandbox_decoder: Final = msgspec.json.Decoder(SandboxInfo)
_container_decoder: Final = msgspec.json.Decoder(ContainerInfo)
_Info = TypeVar("_Info", SandboxInfo, ContainerInfo)


def sandbox_info(info: Mapping[str, str]) -> SandboxInfo:
    """What `PodSandboxStatusResponse.info` tells; of an answer that is not verbose, nothing.

    Raises:
        UndecodableError: it is not JSON, or not of a shape that this version knows.
    """
    return _decode(_sandbox_decoder, info) if INFO_KEY in info else SandboxInfo()


def container_info(info: Mapping[str, str]) -> ContainerInfo:
    """What `ContainerStatusResponse.info` tells; of an answer that is not verbose, nothing.

    Raises:
        UndecodableError: it is not JSON, or not of a shape that this version knows.
    """
    return _decode(_container_decoder, info) if INFO_KEY in info else ContainerInfo()


def _decode(decoder: msgspec.json.Decoder[_Info], info: Mapping[str, str]) -> _Info:
    try:
        return decoder.decode(_within_bounds(info[INFO_KEY]))
    except (msgspec.DecodeError, bounds.OutOfBoundsError) as error:
        raise UndecodableError(
            message_type=decoder.type.__name__, reason="`info` is not the JSON of a status"
        ) from error


def _within_bounds(info: str) -> bytes:
    data = info.encode()
    bounds.check(data, most_bytes=bounds.INFO_BYTES, depth=bounds.INFO_DEPTH)
    return data


# What a sandbox or container was asked for, as containerd repeats it: `config` in the JSON of its
# status.
#
# It is the runtime's word, for those whose request nobody saw. CRI's message stands there as Go
# encodes it: enums by number, and what is zero left out. Only the namespace options are read. A
# shape that is not known is no answer; the rest of the status counts without it.


class _Mapping(msgspec.Struct, frozen=True):
    host_id: UserId = 0
    container_id: UserId = 0
    length: UserId = 0


class _UserNamespace(msgspec.Struct, frozen=True):
    mode: int = 0
    uids: tuple[_Mapping, ...] = ()
    gids: tuple[_Mapping, ...] = ()


class _NamespaceOption(msgspec.Struct, frozen=True):
    network: int = 0
    pid: int = 0
    ipc: int = 0
    target_id: str = ""
    userns_options: _UserNamespace | None = None


class _SecurityContext(msgspec.Struct, frozen=True):
    namespace_options: _NamespaceOption | None = None


class _Linux(msgspec.Struct, frozen=True):
    security_context: _SecurityContext | None = None


class _Config(msgspec.Struct, frozen=True):
    linux: _Linux | None = None


class _ConfigInfo(msgspec.Struct, frozen=True):
    config: _Config | None = None


_decode_config: Final = msgspec.json.Decoder(_ConfigInfo).decode


def requested_in(info: str) -> RequestedNamespaces | None:
    """What was asked for by the request that a verbose status repeats.

    None if its JSON has no request in it. A request without namespace options asked for nothing,
    which is something else.
    """
    try:
        config = _decode_config(_within_bounds(info)).config
    except (msgspec.DecodeError, bounds.OutOfBoundsError):
        return None
    if config is None:
        return None
    context = config.linux.security_context if config.linux else None
    options = context.namespace_options if context else None
    if options is None:
        return RequestedNamespaces()
    return RequestedNamespaces(
        net=namespace_mode(options.network),
        pid=namespace_mode(options.pid),
        ipc=namespace_mode(options.ipc),
        target_id=options.target_id or None,
        user=_user(options.userns_options),
    )


def _user(asked: _UserNamespace | None) -> UserNamespaceRequest | None:
    if asked is None:
        return None
    return UserNamespaceRequest(
        mode=namespace_mode(asked.mode), uids=_mappings(asked.uids), gids=_mappings(asked.gids)
    )


def _mappings(lines: tuple[_Mapping, ...]) -> tuple[IdMapping, ...]:
    return tuple(
        IdMapping(container_id=line.container_id, host_id=line.host_id, length=line.length)
        for line in lines
    )
