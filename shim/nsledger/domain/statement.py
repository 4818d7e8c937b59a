"""What each of the three layers states of one namespace: its words, its claim, and its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nsledger.domain.claim import Claim, NoneOf
from nsledger.domain.namespaces import INHERITED, NEW, Assignment, NamespaceMode, RequestedMode
from nsledger.domain.rule import Rule
from nsledger.domain.sharing import Sharing
from nsledger.domain.viewpoint import Viewpoint


@dataclass(frozen=True, slots=True)
class Statement:
    """What one layer says of one namespace."""

    words: str
    claim: Claim
    rule: Rule


Meaning = tuple[Rule, Callable[[Viewpoint], Claim]]

ASKED_OF_CONTAINER: Final[Mapping[NamespaceMode, Meaning]] = {
    NamespaceMode.NODE: (Rule.REQUESTED_NODE, Viewpoint.hosts),
    NamespaceMode.POD: (Rule.REQUESTED_POD, Viewpoint.pods),
    NamespaceMode.CONTAINER: (Rule.REQUESTED_CONTAINER, Viewpoint.own),
    NamespaceMode.TARGET: (Rule.REQUESTED_TARGET, Viewpoint.targets),
}
"""What CRI's words mean for an application container."""

ASKED_OF_SANDBOX: Final[Mapping[NamespaceMode, Meaning]] = {
    NamespaceMode.NODE: (Rule.REQUESTED_NODE, Viewpoint.hosts),
    NamespaceMode.POD: (Rule.REQUESTED_POD, Viewpoint.own),
    NamespaceMode.CONTAINER: (Rule.REQUESTED_CONTAINER, Viewpoint.own),
    NamespaceMode.TARGET: (Rule.REQUESTED_TARGET, Viewpoint.own),
}
"""What they mean for a sandbox, which is nobody's guest: its own are the pod's."""

_ASSIGNED: Final[Mapping[Assignment, Meaning]] = {
    INHERITED: (Rule.ASSIGNED_INHERITED, Viewpoint.hosts),
    NEW: (Rule.ASSIGNED_NEW, Viewpoint.own),
}


def requested(
    view: Viewpoint, mode: RequestedMode | None, meanings: Mapping[NamespaceMode, Meaning]
) -> Statement:
    """CRI's statement; None asks nothing, and a number is a mode that this version cannot read."""
    words = f"requested {mode}"
    if isinstance(mode, NamespaceMode):
        rule, claim = meanings[mode]
        return Statement(words, claim(view), rule)
    doubt = "" if mode is None else f"mode {mode} is not known to this version"
    return Statement(words, NoneOf(doubt=doubt), Rule.REQUESTED_UNKNOWN)


def assigned(view: Viewpoint, assignment: Assignment | None) -> Statement:
    """The OCI spec's statement; None is a spec that was not seen."""
    words = f"assigned {assignment}"
    if assignment is None:
        return Statement(words, NoneOf(), Rule.ASSIGNED_UNKNOWN)
    if assignment in _ASSIGNED:
        rule, claim = _ASSIGNED[assignment]
        return Statement(words, claim(view), rule)
    return Statement(words, view.behind(assignment), Rule.ASSIGNED_PATH)


def actual(view: Viewpoint, sharing: Sharing) -> Statement:
    """The kernel's statement."""
    return Statement(f"got {sharing}", view.seen(), Rule.ACTUAL_UNREAD)
