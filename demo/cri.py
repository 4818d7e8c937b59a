"""CRI as a kubelet speaks it: requests from plain values, answers as messages.

These messages are described here once more, on purpose: the shim's own (protos/) leave out what it
must not read, such as environment and arguments, and a peer that sends them must not share its
code. Names, numbers and types are upstream's (cri-api, `runtime.v1`); tests/contract compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

PACKAGE: Final = "nsledger.demo.v1"
"""Not upstream's, so that all three descriptions can be loaded into one process."""

_ENUMS: Final = {"NamespaceMode": ("POD", "CONTAINER", "NODE", "TARGET")}

_MESSAGES: Final = """
VersionRequest: version=1 string
VersionResponse: version=1 string, runtime_name=2 string, runtime_version=3 string
StatusRequest: verbose=1 bool
StatusResponse: status=1 RuntimeStatus, runtime_handlers=3 repeated RuntimeHandler
RuntimeStatus: conditions=1 repeated RuntimeCondition
RuntimeCondition: type=1 string, status=2 bool, reason=3 string, message=4 string
RuntimeHandler: name=1 string, features=2 RuntimeHandlerFeatures
RuntimeHandlerFeatures: recursive_read_only_mounts=1 bool, user_namespaces=2 bool
ImageStatusRequest: image=1 ImageSpec
ImageStatusResponse: image=1 Image
ImageSpec: image=1 string
Image: id=1 string, repo_tags=2 repeated string

RunPodSandboxRequest: config=1 PodSandboxConfig, runtime_handler=2 string
RunPodSandboxResponse: pod_sandbox_id=1 string
PodSandboxConfig: metadata=1 PodSandboxMetadata, hostname=2 string, log_directory=3 string, \
dns_config=4 DNSConfig, labels=6 map<string,string>, annotations=7 map<string,string>, \
linux=8 LinuxPodSandboxConfig
PodSandboxMetadata: name=1 string, uid=2 string, namespace=3 string, attempt=4 uint32
DNSConfig: servers=1 repeated string
LinuxPodSandboxConfig: cgroup_parent=1 string, security_context=2 LinuxSandboxSecurityContext
LinuxSandboxSecurityContext: namespace_options=1 NamespaceOption, privileged=6 bool
NamespaceOption: network=1 NamespaceMode, pid=2 NamespaceMode, ipc=3 NamespaceMode, \
target_id=4 string, userns_options=5 UserNamespace
UserNamespace: mode=1 NamespaceMode, uids=2 repeated IDMapping, gids=3 repeated IDMapping
IDMapping: host_id=1 uint32, container_id=2 uint32, length=3 uint32
StopPodSandboxRequest: pod_sandbox_id=1 string
StopPodSandboxResponse:
RemovePodSandboxRequest: pod_sandbox_id=1 string
RemovePodSandboxResponse:
ListPodSandboxRequest:
ListPodSandboxResponse: items=1 repeated PodSandbox
PodSandbox: id=1 string, metadata=2 PodSandboxMetadata
PodSandboxStatusRequest: pod_sandbox_id=1 string, verbose=2 bool
PodSandboxStatusResponse: status=1 PodSandboxStatus, info=2 map<string,string>
PodSandboxStatus: id=1 string, metadata=2 PodSandboxMetadata, network=5 PodSandboxNetworkStatus, \
annotations=8 map<string,string>
PodSandboxNetworkStatus: ip=1 string

CreateContainerRequest: pod_sandbox_id=1 string, config=2 ContainerConfig, \
sandbox_config=3 PodSandboxConfig
CreateContainerResponse: container_id=1 string
ContainerConfig: metadata=1 ContainerMetadata, image=2 ImageSpec, command=3 repeated string, \
args=4 repeated string, envs=6 repeated KeyValue, mounts=7 repeated Mount, \
labels=9 map<string,string>, annotations=10 map<string,string>, log_path=11 string, \
linux=15 LinuxContainerConfig
ContainerMetadata: name=1 string, attempt=2 uint32
KeyValue: key=1 string, value=2 string
Mount: container_path=1 string, host_path=2 string, readonly=3 bool
LinuxContainerConfig: security_context=2 LinuxContainerSecurityContext
LinuxContainerSecurityContext: privileged=2 bool, namespace_options=3 NamespaceOption
StartContainerRequest: container_id=1 string
StartContainerResponse:
StopContainerRequest: container_id=1 string, timeout=2 int64
StopContainerResponse:
RemoveContainerRequest: container_id=1 string
RemoveContainerResponse:
ListContainersRequest:
ListContainersResponse: containers=1 repeated Container
Container: id=1 string, pod_sandbox_id=2 string, metadata=3 ContainerMetadata
ContainerStatusRequest: container_id=1 string, verbose=2 bool
ContainerStatusResponse: status=1 ContainerStatus, info=2 map<string,string>
ContainerStatus: id=1 string, metadata=2 ContainerMetadata, exit_code=7 int32, \
annotations=13 map<string,string>
ExecSyncRequest: container_id=1 string, cmd=2 repeated string, timeout=3 int64
ExecSyncResponse: stdout=1 bytes, stderr=2 bytes, exit_code=3 int32
"""
"""One message on a line, in the notation `field=number type`; what the demo and tests need."""

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
}


def _described() -> Iterator[tuple[str, str, int, str]]:
    """Message, field, number and type of each field in _MESSAGES."""
    for line in _MESSAGES.split("\n"):
        message, _, fields = line.partition(":")
        for name, number, type_ in re.findall(r"(\w+)=(\d+) ((?:repeated )?[\w<,>]+\w>?)", fields):
            yield message, name, int(number), type_


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="demo/cri.proto", package=PACKAGE, syntax="proto3"
    )
    for name, words in _ENUMS.items():
        values = [
            descriptor_pb2.EnumValueDescriptorProto(name=word, number=number)
            for number, word in enumerate(words)
        ]
        file.enum_type.add(name=name, value=values)
    messages = {
        name: file.message_type.add(name=name) for name in re.findall(r"(?m)^(\w+):", _MESSAGES)
    }
    for message, name, number, type_ in _described():
        messages[message].field.append(_field(messages[message], name, number, type_))
    return file


def _field(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, type_: str
) -> descriptor_pb2.FieldDescriptorProto:
    field = _Field(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    word = type_.removeprefix("repeated ")
    if word != type_:
        field.label = _Field.LABEL_REPEATED
    if word == "map<string,string>":
        # A map is a repeated message of key and value, by this name.
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        entry.field.append(_field(entry, "key", 1, "string"))
        entry.field.append(_field(entry, "value", 2, "string"))
        field.label = _Field.LABEL_REPEATED
        field.type, field.type_name = _Field.TYPE_MESSAGE, f"{message.name}.{entry.name}"
    elif word in _SCALARS:
        field.type = _SCALARS[word]
    else:
        field.type = _Field.TYPE_ENUM if word in _ENUMS else _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{word}"
    return field


_pool: Final = descriptor_pool.DescriptorPool()
DESCRIPTOR: Final = _pool.AddSerializedFile(_file().SerializeToString())
"""All of the messages and enums above."""


def message(name: str, values: Mapping[str, Any]) -> Message:
    """The message `name` with `values`, as in protobuf's JSON form with the original names.

    Raises:
        json_format.ParseError: a field that the message does not have.
    """
    return json_format.ParseDict(dict(values), _class(name)())


def _class(name: str) -> type[Message]:
    return message_factory.GetMessageClass(DESCRIPTOR.message_types_by_name[name])


class Client:
    """A connection to a CRI socket. Every call has a deadline."""

    def __init__(self, socket: str, *, timeout_s: float = 30.0, version: str = "v1") -> None:
        self._channel = grpc.insecure_channel(
            f"unix:{socket}",
            # As the kubelet: its authority, and messages of up to 16 MiB.
            options=[
                ("grpc.default_authority", "localhost"),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_receive_message_length", 16 << 20),
            ],
        )
        self._timeout_s = timeout_s
        self._version = version

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()

    def call(self, method: str, **values: Any) -> Any:  # noqa: ANN401 - messages made at run time
        """Call `method` and return its answer; `values` are the fields of its request.

        Raises:
            grpc.RpcError: the runtime refused, or did not answer in time.
        """
        service = "ImageService" if "Image" in method else "RuntimeService"
        call: grpc.UnaryUnaryMultiCallable[Message, Any] = self._channel.unary_unary(
            f"/runtime.{self._version}.{service}/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=_class(f"{method}Response").FromString,
        )
        return call(message(f"{method}Request", values), timeout=self._timeout_s)
