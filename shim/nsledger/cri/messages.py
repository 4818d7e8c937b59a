"""From CRI messages to the domain's words: the parts that requests, answers and statuses share.

Only what is named here gets out of a message. Nothing keeps a message, or shows one in an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.errors import NsledgerError
from nsledger.model.namespaces import (
    IdMapping,
    NamespaceMode,
    RequestedMode,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.model.refs import ContainerRef, PodRef

AnyMessage = TypeVar("AnyMessage", bound=Message)


class UndecodableError(NsledgerError):
    """A CRI message, or the JSON in one, is not what this version can read."""

    hint = "The call itself went through untouched; what it was about is a gap in the record."

    def __init__(self, *, message_type: str, reason: str) -> None:
        super().__init__(f"{message_type}: {reason}")
        self.message_type = message_type
        self.reason = reason
        """In words of our own: nothing of the message's content is in it."""


def parse(message_type: type[AnyMessage], message: bytes) -> AnyMessage:
    """`message` as a `message_type`; fields that are not declared are kept, unread.

    Raises:
        UndecodableError: it is not one, or a declared string in it is not UTF-8.
    """
    try:
        return message_type.FromString(message)
    except DecodeError as error:
        name = message_type.DESCRIPTOR.name
        raise UndecodableError(message_type=name, reason="not a message of this type") from error


_MODES: Final[Mapping[int, NamespaceMode]] = MappingProxyType(
    {number: NamespaceMode(name) for name, number in pb.NamespaceMode.items()}
)


def requested_namespaces(options: pb.NamespaceOption) -> RequestedNamespaces:
    """What a NamespaceOption that is present asks for.

    The caller tests presence (`HasField`): an absent message reads POD for every type here, and
    is `RequestedNamespaces()` there.
    """
    user: UserNamespaceRequest | None = None
    if options.HasField("userns_options"):
        asked = options.userns_options
        user = UserNamespaceRequest(
            mode=namespace_mode(asked.mode),
            uids=tuple(_mapping(line) for line in asked.uids),
            gids=tuple(_mapping(line) for line in asked.gids),
        )
    return RequestedNamespaces(
        net=namespace_mode(options.network),
        pid=namespace_mode(options.pid),
        ipc=namespace_mode(options.ipc),
        target_id=options.target_id or None,
        user=user,
    )


def namespace_mode(number: int) -> RequestedMode:
    """CRI's NamespaceMode of that number, or the number of one that this version does not know."""
    return _MODES.get(number, number)


def _mapping(line: pb.IDMapping) -> IdMapping:
    return IdMapping(container_id=line.container_id, host_id=line.host_id, length=line.length)


def pod_ref(
    metadata: pb.PodSandboxMetadata, *, pod_sandbox_id: str = "", runtime_handler: str = ""
) -> PodRef:
    """The pod of `metadata`; an absent one leaves its fields empty."""
    return PodRef(
        pod_sandbox_id=pod_sandbox_id,
        k8s_namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        attempt=metadata.attempt,
        runtime_handler=runtime_handler,
    )


def container_ref(
    metadata: pb.ContainerMetadata, image: pb.ImageSpec, *, container_id: str = ""
) -> ContainerRef:
    """The container of `metadata`, with the image in its author's words where they are told."""
    return ContainerRef(
        container_id=container_id,
        name=metadata.name,
        attempt=metadata.attempt,
        image=image.user_specified_image or image.image,
    )
