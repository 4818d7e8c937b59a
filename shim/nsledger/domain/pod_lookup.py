"""Which pod a person means: by name, `k8s_namespace/name`, uid, or the beginning of an id."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from nsledger.domain.pod import Pod
from nsledger.domain.workloads import Workloads
from nsledger.errors import NsledgerError

_SHORTEST_ID: Final = 4
"""Fewer characters of an id could be part of too many names."""


class UnknownPodError(NsledgerError):
    """No record tells of such a pod."""

    hint = "`nsledger log --event pod.assigned` lists the pods that are on record."

    def __init__(self, *, asked: str, known: Sequence[Pod]) -> None:
        names = dict.fromkeys(name for pod in known for name in (pod.ref.full_name, pod.ref.name))
        close = difflib.get_close_matches(asked, [*names], n=3, cutoff=0.5)
        similar = f"; there is {', '.join(map(repr, close))}" if close else ""
        super().__init__(f"no pod {asked!r} among the {len(known)} on record{similar}")
        self.asked = asked


class AmbiguousPodError(NsledgerError):
    """Several pods fit."""

    def __init__(self, *, asked: str, pods: Sequence[Pod]) -> None:
        super().__init__(f"{asked!r} fits {len(pods)} pods, needed one")
        self.asked, self.pods = asked, pods


def find_pod(workloads: Workloads, asked: str) -> Pod:
    """The one pod that `asked` means.

    What lives comes before what is gone, and of several sandboxes of one pod the newest counts.

    Raises:
        UnknownPodError: no record tells of it.
        AmbiguousPodError: it may be several pods.
    """
    known = [pod for id_, pod in workloads.pods.items() if id_]
    fitting = [pod for pod in known if _fits(pod, asked)]
    if not fitting:
        raise UnknownPodError(asked=asked, known=known)
    newest = _newest_of_each(fitting)
    living = [pod for pod in newest if not pod.ended]
    if len(living) == 1:
        return living[0]
    candidates = living or newest
    if len({pod.ref.full_name for pod in candidates}) > 1 or living:
        raise AmbiguousPodError(asked=asked, pods=candidates)
    return candidates[-1]


def _fits(pod: Pod, asked: str) -> bool:
    if asked in {pod.ref.name, pod.ref.full_name, pod.ref.uid} - {""}:
        return True
    ids = [pod.ref.pod_sandbox_id, *pod.containers]
    return len(asked) >= _SHORTEST_ID and any(id_.startswith(asked) for id_ in ids)


def _newest_of_each(pods: Iterable[Pod]) -> list[Pod]:
    """One per Kubernetes pod: a living sandbox, else the one that came last."""
    newest: dict[tuple[str, str], Pod] = {}
    for pod in pods:
        key = pod.ref.full_name, pod.ref.uid
        if key not in newest or newest[key].ended or not pod.ended:
            newest[key] = pod
    return list(newest.values())
