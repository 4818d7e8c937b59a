"""From the three layers to `sharing` and `verdict`.

`sharing` says whose namespace a process is in, by the kernel alone. `verdict` says whether the
layers agree: each one's words become a claim, and any two claims are compared. A layer that is
silent disagrees with nobody.

Of uts, mnt, cgroup and time CRI asks nothing: they are `not_requested`, and a mismatch only if the
process has something else than the OCI spec assigned. That holds for uts too, which containerd
makes follow hostNetwork without being asked, and CRI-O does not.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

HOST: Final = "host"
POD: Final = "pod"
PRIVATE: Final = "private"
UNKNOWN: Final = "unknown"
CONTAINER_PREFIX: Final = "container:"
UNNAMED_CONTAINER: Final = CONTAINER_PREFIX + "?"
"""A sibling's whose name is not known; no Kubernetes name has this character."""

Sharing = str
"""`host`, `pod` (the sandbox's), `container:<name>` (a sibling's), `private`, or `unknown`."""


# The rules of judgement by name: each judgement says which of them decided it.
#
# The names are stable and stand in records; the sentences are for `nsledger explain` and the
# docs.


class Rule(enum.StrEnum):
    """The layer that decided, and the word it used."""

    REQUESTED_NODE = "requested.NODE"
    REQUESTED_POD = "requested.POD"
    REQUESTED_CONTAINER = "requested.CONTAINER"
    REQUESTED_TARGET = "requested.TARGET"
    REQUESTED_MAPPINGS = "requested.mappings"
    REQUESTED_UNKNOWN = "requested.unknown"
    ASSIGNED_INHERITED = "assigned.inherited"
    ASSIGNED_NEW = "assigned.new"
    ASSIGNED_PATH = "assigned.path"
    ASSIGNED_UNKNOWN = "assigned.unknown"
    ACTUAL_UNREAD = "actual.unread"

    @property
    def sentence(self) -> str:
        """What the rule demands, in one sentence."""
        return _SENTENCES[self]


_SENTENCES = {
    Rule.REQUESTED_NODE: "CRI asked for the host's (NODE): the process must be in it.",
    Rule.REQUESTED_POD: (
        "CRI asked for the pod's (POD): a container must be in the sandbox's, which is not the"
        " host's unless the pod asked for NODE; a sandbox must not be in the host's."
    ),
    Rule.REQUESTED_CONTAINER: (
        "CRI asked for its own (CONTAINER): a container must not be in the host's, the sandbox's"
        " or an older sibling's; a sandbox must not be in the host's."
    ),
    Rule.REQUESTED_TARGET: (
        "CRI asked for another container's (TARGET): a container must be in that one's; for a"
        " sandbox it means what CONTAINER means."
    ),
    Rule.REQUESTED_MAPPINGS: (
        "CRI asked for a user namespace with these mappings: the process's uid_map and gid_map must"
        " map the same ids."
    ),
    Rule.REQUESTED_UNKNOWN: (
        "CRI asked with a mode that this version does not know: nothing can be said."
    ),
    Rule.ASSIGNED_INHERITED: (
        "The OCI spec does not list the type: the process must be in the runtime's own, which is"
        " the host's."
    ),
    Rule.ASSIGNED_NEW: (
        "The OCI spec makes a new one: the process must not be in the host's, the sandbox's or an"
        " older sibling's."
    ),
    Rule.ASSIGNED_PATH: (
        "The OCI spec names a path: the process must be in the namespace behind it, where that is"
        " known."
    ),
    Rule.ASSIGNED_UNKNOWN: "The OCI spec was not seen: there is nothing to compare with.",
    Rule.ACTUAL_UNREAD: "The kernel's answer could not be read: nothing can be said.",
}


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
