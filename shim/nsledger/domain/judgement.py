"""From the three layers to `sharing` and `verdict`: pure rules, one per function.

`sharing` says whose namespace a process is in, by the kernel alone. `verdict` says whether the
layers agree: what CRI asked against what the process has, and what the OCI spec assigned against
what the process has. A layer that is silent disagrees with nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

import msgspec

from nsledger.domain.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)


class Verdict(enum.StrEnum):
    """Whether the layers of one type agree."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_REQUESTED = "not_requested"
    """Nothing was asked (or can be), and what was assigned is what the process has."""
    UNOBSERVABLE = "unobservable"


HOST: Final = "host"
POD: Final = "pod"
PRIVATE: Final = "private"
UNKNOWN: Final = "unknown"
CONTAINER_PREFIX: Final = "container:"

Sharing = str
"""`host`, `pod` (the sandbox's), `container:<name>` (a sibling's), `private`, or `unknown`."""


class Judgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one type, of one process."""

    sharing: Sharing
    verdict: Verdict
    reason: str = ""
    """Why, where the verdict is `mismatch` or `unobservable`."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The processes that a container's namespaces are compared with, alive at the same moment."""

    host: NamespaceReading
    sandbox: NamespaceReading | None
    """None if the sandbox has no process on this kernel."""
    siblings: Mapping[str, NamespaceReading] = field(default_factory=dict[str, NamespaceReading])
    """The pod's other running containers by name."""
    target: NamespaceReading | None = None
    """The container that CRI's `target_id` names."""


def judge_container(
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    around: Surroundings,
) -> dict[NamespaceType, Judgement]:
    """One judgement per type for an application container."""
    return {
        type_: _judge(
            type_,
            actual,
            sharing=container_sharing(type_, actual, around),
            complaints=[
                *_requested_of_container(type_, actual, requested, around),
                *_assigned_to(type_, actual, assigned, around),
            ],
            requested=requested,
        )
        for type_ in NamespaceType
    }


def judge_sandbox(
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    host: NamespaceReading,
) -> dict[NamespaceType, Judgement]:
    """One judgement per type for the sandbox itself, whose own namespaces are the pod's."""
    around = Surroundings(host=host, sandbox=None)
    return {
        type_: _judge(
            type_,
            actual,
            sharing=sandbox_sharing(type_, actual, host),
            complaints=[
                *_requested_of_sandbox(type_, actual, requested, host),
                *_assigned_to(type_, actual, assigned, around),
            ],
            requested=requested,
        )
        for type_ in NamespaceType
    }


def container_sharing(
    type_: NamespaceType, actual: NamespaceReading, around: Surroundings
) -> Sharing:
    """Whose namespace of `type_` the container is in; the widest sharing wins."""
    if type_ not in actual.namespaces:
        return UNKNOWN
    if _same(type_, actual, around.host):
        return HOST
    if _same(type_, actual, around.sandbox):
        return POD
    for name, sibling in around.siblings.items():
        if _same(type_, actual, sibling):
            return CONTAINER_PREFIX + name
    return PRIVATE


def sandbox_sharing(
    type_: NamespaceType, actual: NamespaceReading, host: NamespaceReading
) -> Sharing:
    """`host`, or `pod`: what a sandbox has of its own is there for the pod."""
    if type_ not in actual.namespaces:
        return UNKNOWN
    return HOST if _same(type_, actual, host) else POD


def _judge(
    type_: NamespaceType,
    actual: NamespaceReading,
    *,
    sharing: Sharing,
    complaints: list[str],
    requested: RequestedNamespaces,
) -> Judgement:
    if sharing == UNKNOWN:
        reason = actual.missing.get(type_, "not read")
        return Judgement(sharing, Verdict.UNOBSERVABLE, reason)
    if complaints:
        return Judgement(sharing, Verdict.MISMATCH, "; ".join(complaints))
    mode = requested.mode(type_)
    if mode is None:
        return Judgement(sharing, Verdict.NOT_REQUESTED)
    if not isinstance(mode, NamespaceMode):
        return Judgement(sharing, Verdict.UNOBSERVABLE, f"mode {mode} is not known to this version")
    return Judgement(sharing, Verdict.MATCH)


def _requested_of_container(
    type_: NamespaceType,
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    around: Surroundings,
) -> list[str]:
    mode = requested.mode(type_)
    if not isinstance(mode, NamespaceMode):
        return []
    in_host = _same(type_, actual, around.host)
    match mode:
        case NamespaceMode.NODE:
            agrees = in_host
        case NamespaceMode.POD:
            agrees = not in_host and (
                around.sandbox is None or _same(type_, actual, around.sandbox)
            )
        case NamespaceMode.CONTAINER:
            agrees = not in_host and not _same(type_, actual, around.sandbox)
        case NamespaceMode.TARGET:
            agrees = around.target is None or _same(type_, actual, around.target)
        case _:
            assert_never(mode)
    return [] if agrees else [f"requested {mode}, got {container_sharing(type_, actual, around)}"]


def _requested_of_sandbox(
    type_: NamespaceType,
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    host: NamespaceReading,
) -> list[str]:
    mode = requested.mode(type_)
    if not isinstance(mode, NamespaceMode):
        return []
    agrees = _same(type_, actual, host) == (mode is NamespaceMode.NODE)
    return [] if agrees else [f"requested {mode}, got {sandbox_sharing(type_, actual, host)}"]


def _assigned_to(
    type_: NamespaceType,
    actual: NamespaceReading,
    assigned: AssignedNamespaces,
    around: Surroundings,
) -> list[str]:
    assignment = assigned.get(type_)
    if assignment is None:
        return []
    if assignment == INHERITED:
        agrees = _same(type_, actual, around.host)
    elif assignment == NEW:
        others = [around.host, around.sandbox, *around.siblings.values()]
        agrees = not any(_same(type_, actual, other) for other in others)
    else:
        owner = _owner_of(assignment, around)
        agrees = owner is None or _same(type_, actual, owner)
    if agrees:
        return []
    return [f"assigned {assignment}, got {container_sharing(type_, actual, around)}"]


def _owner_of(path: str, around: Surroundings) -> NamespaceReading | None:
    """The process behind a `/proc/<pid>/ns/<type>` path, if it is one we read."""
    parts = path.split("/")
    if len(parts) != _PROC_NS_PARTS or parts[1] != "proc" or parts[3] != "ns":
        return None
    candidates = [around.sandbox, around.target, *around.siblings.values()]
    for candidate in candidates:
        if candidate is not None and str(candidate.pid) == parts[2]:
            return candidate
    return None


_PROC_NS_PARTS: Final = 5


def _same(type_: NamespaceType, one: NamespaceReading, other: NamespaceReading | None) -> bool:
    mine: NamespaceIdentity | None = one.namespaces.get(type_)
    theirs = None if other is None else other.namespaces.get(type_)
    return mine is not None and theirs is not None and mine.same_as(theirs)
