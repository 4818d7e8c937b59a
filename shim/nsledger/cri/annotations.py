"""What to append to a request so that it is annotated: its own bytes stay as they were sent.

Protobuf merges: a parser that meets a message field twice takes both, and of two map entries with
one key the later (encoding guide, "Last One Wins"). So the addition is a second, small message that
holds nothing but annotations, and what the kubelet sent is a prefix of what the runtime gets: no
field is re-encoded, known or not.

The price is that nothing can be taken away. A key under our prefix that somebody else put there
and that we do not set is emptied instead, so that nobody can write in our name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Final

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import parse
from nsledger.model.namespaces import (
    INHERITED,
    AssignedNamespaces,
    NamespaceType,
    RequestedNamespaces,
)

# What the shim writes on pods and containers: names and values of its annotations.
#
# They are a note for people and for the hook, not the record: the record is the ledger.

PREFIX: Final = "nsledger.dev/"
"""Ours alone: what others write under it does not get through."""

AUDIT_ID: Final = PREFIX + "audit-id"
"""Joins the pod or container with the records of the call that created it."""
AUDIT_ID_DIGITS: Final = 16
"""Hexadecimal: 64 bits."""

_REQUESTED: Final[Mapping[NamespaceType, str]] = MappingProxyType(
    {
        type_: f"{PREFIX}requested.{type_}"
        for type_ in (
            NamespaceType.NET,
            NamespaceType.PID,
            NamespaceType.IPC,
            NamespaceType.USER,
        )
    }
)
"""CRI has no word for the other four."""

_JOINS: Final[Mapping[NamespaceType, str]] = MappingProxyType(
    {type_: f"{PREFIX}ns.{type_}" for type_ in NamespaceType}
)

ABSENT: Final = "absent"
"""Of a requested mode: the message that would hold it was not sent."""
HOST: Final = "host"
"""Of a namespace to join: the runtime's own, which is the host's."""


def pod_annotations(audit_id: str, requested: RequestedNamespaces) -> dict[str, str]:
    """For RunPodSandbox: the modes asked for; which paths they become is not known before it ends.

    A mode is `POD`, `CONTAINER`, `NODE`, `TARGET`, `absent`, or a number this version has no
    name for.
    """
    annotations = {AUDIT_ID: audit_id}
    for type_, key in _REQUESTED.items():
        mode = requested.mode(type_)
        annotations[key] = ABSENT if mode is None else str(mode)
    return annotations


def container_annotations(audit_id: str, predicted: AssignedNamespaces) -> dict[str, str]:
    """For CreateContainer: per type the path it will join, `new`, or `host`.

    A type that could not be predicted has no annotation.
    """
    annotations = {AUDIT_ID: audit_id}
    for type_, assignment in predicted.items():
        annotations[_JOINS[type_]] = HOST if assignment == INHERITED else assignment
    return annotations


_PLACE_OF_ID: Final = "\0" * AUDIT_ID_DIGITS
"""No path has this in it."""
_names_ours: Final = re.compile(re.escape(PREFIX.encode())).search
"""Where this finds nothing in a request, no key of it is ours, and it need not be parsed. Python's
own search of bytes takes four times as long here: it stops at every slash, and paths have many."""


def addition_to_run_pod_sandbox(message: bytes, annotations: Mapping[str, str]) -> bytes:
    """What puts `annotations` into the config of `message`, a RunPodSandboxRequest with a config.

    Nothing if there are none. To any other request it would add a config, so that is to be decoded
    before.
    """
    if not annotations:
        return b""
    ours = pb.RunPodSandboxRequest()
    if _names_ours(message):
        theirs = parse(pb.RunPodSandboxRequest, message)
        _empty(ours.config.annotations, theirs.config.annotations)
    _add(ours.config.annotations, annotations)
    return ours.SerializeToString()


def addition_to_create_container(
    message: bytes, annotations: Mapping[str, str], *, has_sandbox_config: bool
) -> bytes:
    """What puts `annotations` into the config of `message`, a CreateContainerRequest with a config.

    Also into its sandbox_config, if it has one: runtimes copy to a container what either of them
    says. Nothing if there are none. To be decoded before, as above.
    """
    if not annotations:
        return b""
    ours = pb.CreateContainerRequest()
    if _names_ours(message):
        theirs = parse(pb.CreateContainerRequest, message)
        _empty(ours.config.annotations, theirs.config.annotations)
        if has_sandbox_config:
            _empty(ours.sandbox_config.annotations, theirs.sandbox_config.annotations)
    _add(ours.config.annotations, annotations)
    if has_sandbox_config:
        _add(ours.sandbox_config.annotations, annotations)
    return ours.SerializeToString()


class ContainerAnnotations:
    """What CreateContainer requests are annotated with that differ in their audit id only.

    The addition is encoded once; a call puts its own id into it.
    """

    __slots__ = ("_parts", "_predicted")

    def __init__(self, predicted: AssignedNamespaces) -> None:
        self._predicted = predicted
        self._parts: dict[bool, list[bytes]] = {}
        """What stands around the audit ids, for requests without and with a sandbox_config."""

    def addition_to(self, message: bytes, audit_id: str, *, has_sandbox_config: bool) -> bytes:
        """The same as `addition_to_create_container` makes; `audit_id` has `AUDIT_ID_DIGITS`."""
        if _names_ours(message):
            annotations = container_annotations(audit_id, self._predicted)
            return addition_to_create_container(
                message, annotations, has_sandbox_config=has_sandbox_config
            )
        parts = self._parts.get(has_sandbox_config)
        if parts is None:
            annotations = container_annotations(_PLACE_OF_ID, self._predicted)
            made = addition_to_create_container(
                b"", annotations, has_sandbox_config=has_sandbox_config
            )
            parts = self._parts[has_sandbox_config] = made.split(_PLACE_OF_ID.encode())
        return audit_id.encode().join(parts)


def _empty(ours: MutableMapping[str, str], theirs: Iterable[str]) -> None:
    for key in theirs:
        if key.startswith(PREFIX):
            ours[key] = ""


def _add(ours: MutableMapping[str, str], additions: Mapping[str, str]) -> None:
    for key, value in additions.items():  # half the time of the map's update()
        ours[key] = value
