"""From the three layers to `sharing` and `verdict`.

`sharing` says whose namespace a process is in, by the kernel alone. `verdict` says whether the
layers agree: each one's words become a claim, and any two claims are compared. A layer that is
silent disagrees with nobody.

Of uts, mnt, cgroup and time CRI asks nothing: they are `not_requested`, and a mismatch only if the
process has something else than the OCI spec assigned. That holds for uts too, which containerd
makes follow hostNetwork without being asked.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from nsledger.domain import statement
from nsledger.domain.claim import NoneOf, compatible
from nsledger.domain.mappings import as_ranges, shown
from nsledger.domain.namespaces import (
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.domain.rule import Rule
from nsledger.domain.sharing import (
    CONTAINER_PREFIX,
    HOST,
    POD,
    PRIVATE,
    UNKNOWN,
    Sharing,
    container_sharing,
    sandbox_sharing,
)
from nsledger.domain.surroundings import Surroundings
from nsledger.domain.viewpoint import Viewpoint

__all__ = [
    "CONTAINER_PREFIX",
    "HOST",
    "POD",
    "PRIVATE",
    "UNKNOWN",
    "Judgement",
    "LayerPair",
    "Rule",
    "Sharing",
    "Surroundings",
    "Verdict",
    "container_sharing",
    "judge_container",
    "judge_sandbox",
    "sandbox_sharing",
]


class Verdict(enum.StrEnum):
    """Whether the layers of one type agree."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_REQUESTED = "not_requested"
    """Nothing was asked (or can be), and what was assigned is what the process has."""
    UNOBSERVABLE = "unobservable"


class LayerPair(enum.StrEnum):
    """Two layers that contradict each other."""

    REQUESTED_ASSIGNED = "requested/assigned"
    """The runtime wrote another spec than CRI asked for."""
    REQUESTED_ACTUAL = "requested/actual"
    ASSIGNED_ACTUAL = "assigned/actual"
    """The process has something else than its spec says."""


class Judgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one type, of one process."""

    sharing: Sharing
    verdict: Verdict
    reason: str = ""
    """Why, where the verdict is `mismatch` or `unobservable`."""
    rule: str = ""
    """The `Rule` that decided; a plain string, since a newer version may know more of them."""
    differ: tuple[LayerPair, ...] = ()
    """Which layers contradict each other, where the verdict is `mismatch`."""


def judge_container(
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    around: Surroundings,
) -> dict[NamespaceType, Judgement]:
    """One judgement per type for an application container."""
    return {
        type_: _judge(
            Viewpoint(type_, actual, around),
            container_sharing(type_, actual, around),
            requested,
            assigned,
            statement.ASKED_OF_CONTAINER,
        )
        for type_ in NamespaceType
    }


def judge_sandbox(
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    host: NamespaceReading,
    paths: Mapping[str, NamespaceIdentity] | None = None,
) -> dict[NamespaceType, Judgement]:
    """One judgement per type for the sandbox itself, whose own namespaces are the pod's.

    `paths` is what assigned paths led to, as in `Surroundings`.
    """
    around = Surroundings(host=host, sandbox=None, paths=paths or {})
    return {
        type_: _judge(
            Viewpoint(type_, actual, around),
            sandbox_sharing(type_, actual, host),
            requested,
            assigned,
            statement.ASKED_OF_SANDBOX,
        )
        for type_ in NamespaceType
    }


def _judge(
    view: Viewpoint,
    sharing: Sharing,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    meanings: Mapping[NamespaceMode, statement.Meaning],
) -> Judgement:
    mode = requested.mode(view.type_)
    asked = statement.requested(view, mode, meanings)
    spec = statement.assigned(view, assigned.get(view.type_))
    kernel = statement.actual(view, sharing)

    contradictions = [
        (pair, one, other)
        for pair, one, other in (
            (LayerPair.REQUESTED_ASSIGNED, asked, spec),
            (LayerPair.REQUESTED_ACTUAL, asked, kernel),
            (LayerPair.ASSIGNED_ACTUAL, spec, kernel),
        )
        if not compatible(one.claim, other.claim)
    ]
    if contradictions:
        return Judgement(
            sharing,
            Verdict.MISMATCH,
            reason="; ".join(f"{one.words}, {other.words}" for _, one, other in contradictions),
            rule=contradictions[0][1].rule,
            differ=tuple(pair for pair, _, _ in contradictions),
        )
    if view.type_ is NamespaceType.USER and (wrong := _wrong_mappings(view.actual, requested.user)):
        return Judgement(
            sharing,
            Verdict.MISMATCH,
            reason=wrong,
            rule=Rule.REQUESTED_MAPPINGS,
            differ=(LayerPair.REQUESTED_ACTUAL,),
        )
    if isinstance(kernel.claim, NoneOf):
        return Judgement(sharing, Verdict.UNOBSERVABLE, kernel.claim.doubt, kernel.rule)
    if mode is None:
        return Judgement(sharing, Verdict.NOT_REQUESTED, rule=spec.rule)
    if asked.claim.doubt:
        return Judgement(sharing, Verdict.UNOBSERVABLE, asked.claim.doubt, asked.rule)
    return Judgement(sharing, Verdict.MATCH, rule=asked.rule)


def _wrong_mappings(actual: NamespaceReading, user: UserNamespaceRequest | None) -> str:
    """What differs between the mappings that were asked for and those read; empty if nothing."""
    if user is None or user.mode is not NamespaceMode.POD:
        return ""
    return "; ".join(
        f"requested {name} {shown(wanted)}, got {shown(got)}"
        for name, wanted, got in (
            ("uids", user.uids, actual.uid_map),
            ("gids", user.gids, actual.gid_map),
        )
        # An empty map was not read, and an empty request leaves the choice to the runtime.
        if wanted and got and as_ranges(wanted) != as_ranges(got)
    )
