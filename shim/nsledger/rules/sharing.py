"""Whose namespace a process is in, by the kernel alone: no layer is believed here."""

from __future__ import annotations

import math

from nsledger.model.judgement import (
    CONTAINER_PREFIX,
    HOST,
    POD,
    PRIVATE,
    UNKNOWN,
    UNNAMED_CONTAINER,
    Sharing,
)
from nsledger.model.namespaces import NO_PROCESS, NamespaceReading, NamespaceType
from nsledger.rules.claims import JudgementContext


def container_sharing(
    type_: NamespaceType, actual: NamespaceReading, around: JudgementContext
) -> Sharing:
    """Whose namespace of `type_` the container is in; the widest sharing wins.

    Nothing is said that was not looked at: `host` and `pod` come before all else, so it is
    `unknown` if theirs was not read, and `private` only if every sibling's was. A sandbox without
    a process has no namespace of the types that it keeps no mount of, so there is none to compare
    with. Of several siblings in one namespace the eldest is named, since it was there first.
    """
    mine, hosts = actual.namespaces.get(type_), around.host.namespaces.get(type_)
    if mine is None or hosts is None:
        return UNKNOWN
    if mine.same_as(hosts):
        return HOST
    if around.sandbox is None:
        return UNKNOWN
    pods = around.sandbox.namespaces.get(type_)
    if pods is None and around.sandbox.missing.get(type_) != NO_PROCESS:
        return UNKNOWN
    if pods is not None and mine.same_as(pods):
        return POD
    theirs = {name: reading.namespaces.get(type_) for name, reading in around.siblings.items()}
    sharers = [name for name, one in theirs.items() if one is not None and mine.same_as(one)]
    if sharers:
        return CONTAINER_PREFIX + min(sharers, key=lambda name: _seniority(name, around))
    targets = None if around.target is None else around.target.namespaces.get(type_)
    if targets is not None and mine.same_as(targets):
        return UNNAMED_CONTAINER
    return UNKNOWN if None in theirs.values() else PRIVATE


def _seniority(name: str, around: JudgementContext) -> tuple[float, str]:
    born = around.siblings[name].start_ticks
    return (math.inf if born is None else born, name)


def sandbox_sharing(
    type_: NamespaceType, actual: NamespaceReading, host: NamespaceReading
) -> Sharing:
    """`host`, or `pod`: what a sandbox has of its own is there for the pod."""
    mine, hosts = actual.namespaces.get(type_), host.namespaces.get(type_)
    if mine is None or hosts is None:
        return UNKNOWN
    return HOST if mine.same_as(hosts) else POD
