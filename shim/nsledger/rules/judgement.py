"""From the three layers to `sharing` and `verdict`.

`sharing` says whose namespace a process is in, by the kernel alone. `verdict` says whether the
layers agree: each one's words become a claim, and any two claims are compared. A layer that is
silent disagrees with nobody.

Of uts, mnt, cgroup and time CRI asks nothing: they are `not_requested`, and a mismatch only if the
process has something else than the OCI spec assigned. That holds for uts too, which containerd
makes follow hostNetwork without being asked, and CRI-O does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nsledger.model.judgement import UNKNOWN, Judgement, LayerPair, Rule, Sharing, Verdict
from nsledger.model.namespaces import (
    NO_PROCESS,
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
    as_ranges,
    shown,
)
from nsledger.rules import claims
from nsledger.rules.claims import ClaimResolver, JudgementContext, NoneOf, compatible
from nsledger.rules.sharing import container_sharing, sandbox_sharing


def judge_container(
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    around: JudgementContext,
) -> dict[NamespaceType, Judgement]:
    """One judgement per type for an application container."""
    return {
        type_: _judge(
            ClaimResolver(type_, actual, around),
            container_sharing(type_, actual, around),
            requested,
            assigned,
            claims.ASKED_OF_CONTAINER,
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

    A sandbox without a process has nothing to judge in the types that it keeps no mount of: they
    are left out. `paths` is what assigned paths led to, as in `JudgementContext`.
    """
    around = JudgementContext(host=host, sandbox=_NO_SANDBOX_BESIDE, paths=paths or {})
    return {
        type_: _judge(
            ClaimResolver(type_, actual, around),
            sandbox_sharing(type_, actual, host),
            requested,
            assigned,
            claims.ASKED_OF_SANDBOX,
        )
        for type_ in NamespaceType
        if actual.missing.get(type_) != NO_PROCESS
    }


_NO_SANDBOX_BESIDE: Final = NamespaceReading(
    pid=0, missing=dict.fromkeys(NamespaceType, NO_PROCESS)
)
"""A sandbox is nobody's guest: beside it there is none to compare with."""


def _judge(
    view: ClaimResolver,
    sharing: Sharing,
    requested: RequestedNamespaces,
    assigned: AssignedNamespaces,
    meanings: Mapping[NamespaceMode, claims.Meaning],
) -> Judgement:
    mode = requested.mode(view.type_)
    asked = claims.requested(view, mode, meanings)
    spec = claims.assigned(view, assigned.get(view.type_))
    kernel = claims.actual(view, sharing)

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
    if mode is None and sharing == UNKNOWN and (doubt := view.own().doubt):
        return Judgement(sharing, Verdict.UNOBSERVABLE, doubt, spec.rule)
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
