"""What words claim: which namespace "the host's", "its own" or a path is, for one process.

NODE, POD, CONTAINER and TARGET (CRI), `new`, `inherited` and paths (OCI) are all turned into
claims on namespaces that were read, so that it no longer matters which layer used which word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from nsledger.model.judgement import Rule, Sharing
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NO_PROCESS,
    Assignment,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedMode,
    RequestedNamespaces,
)


@dataclass(frozen=True, slots=True)
class JudgementContext:
    """What was alive beside a container, read at the same moment as the container itself.

    The same moment matters: the kernel gives a dead process's inodes to the next one at once, so
    a reading of a process that ended since (an init container, a crashed attempt) makes strangers
    look like siblings. Check its pid and start time before putting it in here.
    """

    host: NamespaceReading
    sandbox: NamespaceReading | None
    """None if nothing was read of it: then nothing is known of what its containers share with it.
    A type that is missing as `no_process` is known to be nobody's, which is something else."""
    siblings: Mapping[str, NamespaceReading] = field(default_factory=dict[str, NamespaceReading])
    """The pod's other running containers by name; their order means nothing."""
    target: NamespaceReading | None = None
    """The container that CRI's `target_id` names; it is among the siblings too."""
    pod_requested: RequestedNamespaces | None = None
    """What the pod asked for, if known: it tells a sandbox that was put into the host's namespace
    from one that strayed there."""
    paths: Mapping[str, NamespaceIdentity] = field(default_factory=dict[str, NamespaceIdentity])
    """What assigned paths such as `/var/run/netns/cni-…` led to, where someone looked."""


# What a layer claims of one namespace, in a form in which any two layers can be compared.
#
# A claim is one namespace, or "none of these". A layer that is silent, or whose namespace nobody
# read, rules out none and is compatible with every other claim: it disagrees with nobody.


@dataclass(frozen=True, slots=True)
class Exactly:
    """This namespace."""

    identity: NamespaceIdentity
    doubt: str = ""
    """Why this may not be all that is meant."""


@dataclass(frozen=True, slots=True)
class NoneOf:
    """A namespace that is not among these."""

    identities: tuple[NamespaceIdentity, ...] = ()
    doubt: str = ""
    """Why there may be more to rule out; empty if these are all."""


Claim = Exactly | NoneOf


def compatible(one: Claim, other: Claim) -> bool:
    """Whether there can be a namespace of which both are true."""
    match one, other:
        case Exactly(identity=this), Exactly(identity=that):
            return this.same_as(that)
        case (Exactly(identity=this), NoneOf(identities=others)) | (
            NoneOf(identities=others),
            Exactly(identity=this),
        ):
            return not any(this.same_as(that) for that in others)
        case _:
            return True


@dataclass(frozen=True, slots=True)
class ClaimResolver:
    """One type of namespace, from where one process stands."""

    type_: NamespaceType
    actual: NamespaceReading
    around: JudgementContext

    def seen(self) -> Claim:
        """The namespace that the process has."""
        return self._that_of(self.actual, self.actual.missing.get(self.type_, "not read"))

    def hosts(self) -> Claim:
        """The host's."""
        return self._that_of(self.around.host, "the host's was not read")

    def targets(self) -> Claim:
        """That of the container which the request names."""
        return self._that_of(self.around.target, "the target's was not read")

    def pods(self) -> Claim:
        """The sandbox's; but the host's only if the pod may have asked for that.

        A sandbox that strayed into the host's namespace makes it nobody's to share: a container
        that joins it there has not got the pod's.
        """
        sandbox, host = self._sandboxes(), self.hosts()
        if self._pod_may_be_in_hosts():
            return sandbox
        if isinstance(host, NoneOf):
            return replace(sandbox, doubt=sandbox.doubt or host.doubt)
        if isinstance(sandbox, NoneOf):
            return NoneOf((host.identity,), sandbox.doubt)
        if compatible(sandbox, host):
            return NoneOf((host.identity,), "the sandbox has none of its own")
        return sandbox

    def own(self) -> Claim:
        """One that nobody had before: not the host's, the sandbox's, or an older sibling's.

        A younger sibling does not count: it may have joined this process (an ephemeral container).
        """
        before = [self.hosts(), *self._siblings_before()]
        if not self._sandbox_has_none():
            before.append(self._sandboxes())
        if self.around.target is not None:
            before.append(self.targets())
        doubts = dict.fromkeys(claim.doubt for claim in before if claim.doubt)
        return NoneOf(
            tuple(claim.identity for claim in before if isinstance(claim, Exactly)),
            "; ".join(doubts),
        )

    def behind(self, path: str) -> Claim:
        """Where an assigned path leads, if someone looked or the process in it was read."""
        found = self.around.paths.get(path)
        if found is not None:
            return Exactly(found)
        around = self.around
        for process in (around.sandbox, around.target, *around.siblings.values(), around.host):
            if process is None or not process.pid:
                continue
            if path == f"/proc/{process.pid}/ns/{self.type_}":
                return self._that_of(process, "the namespace behind the path was not read")
        return NoneOf(doubt="nobody looked where the path leads")

    def _sandboxes(self) -> Claim:
        none = self._sandbox_has_none()
        doubt = "the sandbox has no process" if none else "the sandbox's was not read"
        return self._that_of(self.around.sandbox, doubt)

    def _sandbox_has_none(self) -> bool:
        sandbox = self.around.sandbox
        return sandbox is not None and sandbox.missing.get(self.type_) == NO_PROCESS

    def _that_of(self, process: NamespaceReading | None, doubt: str) -> Claim:
        identity = None if process is None else process.namespaces.get(self.type_)
        return NoneOf(doubt=doubt) if identity is None else Exactly(identity)

    def _pod_may_be_in_hosts(self) -> bool:
        if self.around.pod_requested is None:
            return True
        mode = self.around.pod_requested.mode(self.type_)
        return mode is NamespaceMode.NODE or isinstance(mode, int)

    def _siblings_before(self) -> Iterator[Claim]:
        for sibling in self.around.siblings.values():
            older = _is_older(sibling, self.actual)
            claim = self._that_of(sibling, "a sibling's was not read")
            if older or (older is None and isinstance(claim, NoneOf)):
                yield claim
            elif older is None and compatible(claim, self.seen()):
                yield NoneOf(doubt="a sibling that may be older has the same")


def _is_older(one: NamespaceReading, other: NamespaceReading) -> bool | None:
    if one.start_ticks is None or other.start_ticks is None or one.start_ticks == other.start_ticks:
        return None
    return one.start_ticks < other.start_ticks


@dataclass(frozen=True, slots=True)
class Statement:
    """What one layer says of one namespace."""

    words: str
    claim: Claim
    rule: Rule


Meaning = tuple[Rule, Callable[[ClaimResolver], Claim]]

ASKED_OF_CONTAINER: Final[Mapping[NamespaceMode, Meaning]] = {
    NamespaceMode.NODE: (Rule.REQUESTED_NODE, ClaimResolver.hosts),
    NamespaceMode.POD: (Rule.REQUESTED_POD, ClaimResolver.pods),
    NamespaceMode.CONTAINER: (Rule.REQUESTED_CONTAINER, ClaimResolver.own),
    NamespaceMode.TARGET: (Rule.REQUESTED_TARGET, ClaimResolver.targets),
}
"""What CRI's words mean for an application container."""

ASKED_OF_SANDBOX: Final[Mapping[NamespaceMode, Meaning]] = {
    NamespaceMode.NODE: (Rule.REQUESTED_NODE, ClaimResolver.hosts),
    NamespaceMode.POD: (Rule.REQUESTED_POD, ClaimResolver.own),
    NamespaceMode.CONTAINER: (Rule.REQUESTED_CONTAINER, ClaimResolver.own),
    NamespaceMode.TARGET: (Rule.REQUESTED_TARGET, ClaimResolver.own),
}
"""What they mean for a sandbox, which is nobody's guest: its own are the pod's."""

_ASSIGNED: Final[Mapping[Assignment, Meaning]] = {
    INHERITED: (Rule.ASSIGNED_INHERITED, ClaimResolver.hosts),
    NEW: (Rule.ASSIGNED_NEW, ClaimResolver.own),
}


def requested(
    view: ClaimResolver, mode: RequestedMode | None, meanings: Mapping[NamespaceMode, Meaning]
) -> Statement:
    """CRI's statement; None asks nothing, and a number is a mode that this version cannot read."""
    words = f"requested {mode}"
    if isinstance(mode, NamespaceMode):
        rule, claim = meanings[mode]
        return Statement(words, claim(view), rule)
    doubt = "" if mode is None else f"mode {mode} is not known to this version"
    return Statement(words, NoneOf(doubt=doubt), Rule.REQUESTED_UNKNOWN)


def assigned(view: ClaimResolver, assignment: Assignment | None) -> Statement:
    """The OCI spec's statement; None is a spec that was not seen."""
    words = f"assigned {assignment}"
    if assignment is None:
        return Statement(words, NoneOf(), Rule.ASSIGNED_UNKNOWN)
    if assignment in _ASSIGNED:
        rule, claim = _ASSIGNED[assignment]
        return Statement(words, claim(view), rule)
    return Statement(words, view.behind(assignment), Rule.ASSIGNED_PATH)


def actual(view: ClaimResolver, sharing: Sharing) -> Statement:
    """The kernel's statement."""
    return Statement(f"got {sharing}", view.seen(), Rule.ACTUAL_UNREAD)
