"""The processes that a container is compared with, and what they say of one namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nsledger.domain.namespaces import NamespaceIdentity, NamespaceReading, RequestedNamespaces


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was alive beside a container, read at the same moment as the container itself.

    The same moment matters: the kernel gives a dead process's inodes to the next one at once, so
    a reading of a process that ended since (an init container, a crashed attempt) makes strangers
    look like siblings. Check its pid and start time before putting it in here.
    """

    host: NamespaceReading
    sandbox: NamespaceReading | None
    """None if the sandbox has no process on this kernel."""
    siblings: Mapping[str, NamespaceReading] = field(default_factory=dict[str, NamespaceReading])
    """The pod's other running containers by name; their order means nothing."""
    target: NamespaceReading | None = None
    """The container that CRI's `target_id` names; it is among the siblings too."""
    pod_requested: RequestedNamespaces | None = None
    """What the pod asked for, if known: it tells a sandbox that was put into the host's namespace
    from one that strayed there."""
    paths: Mapping[str, NamespaceIdentity] = field(default_factory=dict[str, NamespaceIdentity])
    """What assigned paths such as `/var/run/netns/cni-…` led to, where someone looked."""
