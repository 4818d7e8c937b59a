"""What the shim writes on pods and containers: names and values of its annotations.

They are a note for people and for the hook, not the record: the record is the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nsledger.domain.namespaces import (
    INHERITED,
    AssignedNamespaces,
    NamespaceType,
    RequestedNamespaces,
)

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
