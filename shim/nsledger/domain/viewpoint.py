"""What words claim: which namespace "the host's", "its own" or a path is, for one process.

NODE, POD, CONTAINER and TARGET (CRI), `new`, `inherited` and paths (OCI) are all turned into
claims on namespaces that were read, so that it no longer matters which layer used which word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nsledger.domain.claim import Claim, Exactly, NoneOf, compatible
from nsledger.domain.namespaces import NamespaceMode, NamespaceReading, NamespaceType
from nsledger.domain.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """One type of namespace, from where one process stands."""

    type_: NamespaceType
    actual: NamespaceReading
    around: Surroundings

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
        if self.around.sandbox is not None:
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
            if process is not None and path == f"/proc/{process.pid}/ns/{self.type_}":
                return self._that_of(process, "the namespace behind the path was not read")
        return NoneOf(doubt="nobody looked where the path leads")

    def _sandboxes(self) -> Claim:
        absent = self.around.sandbox is None
        doubt = "the sandbox has no process" if absent else "the sandbox's was not read"
        return self._that_of(self.around.sandbox, doubt)

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
