"""What a container will join and how its request is annotated with it, worked out before it comes.

A kubelet asks for the containers of a pod with the namespace options that it asked for the pod. So
as soon as a sandbox runs, the witness has all of it made ready, on a thread for which nobody waits,
and CreateContainer finds it. What was not foreseen is worked out when it is asked for.
"""

from __future__ import annotations

import functools
from typing import Final

import msgspec

from nsledger.audit.picture import Known
from nsledger.audit.predictions import Predictions
from nsledger.cri.annotate import ContainerAnnotations
from nsledger.cri.annotations import AUDIT_ID_DIGITS
from nsledger.cri.runtime_types import follows_containerds_rules
from nsledger.domain.namespaces import AssignedNamespaces, NamespaceType, RequestedNamespaces
from nsledger.domain.prediction import predict

_ANY_AUDIT_ID: Final = "0" * AUDIT_ID_DIGITS


class Foreseen(msgspec.Struct, frozen=True):
    """Shared by all requests that it holds for; nobody changes it."""

    predicted: AssignedNamespaces
    annotations: ContainerAnnotations


_NOTHING: Final = Foreseen({}, ContainerAnnotations({}))


class Foresight:
    """By what this node has shown. May be asked from any thread."""

    def __init__(self, predictions: Predictions, *, cgroup_version: int) -> None:
        self._predictions = predictions
        self._cgroup_version = cgroup_version

    def of(
        self,
        requested: RequestedNamespaces,
        sandbox: Known | None,
        target: Known | None,
        *,
        privileged: bool,
    ) -> Foreseen:
        """What a container that asks for this will get.

        Args:
            requested: By the container.
            sandbox: Nothing is foreseen where it, or by which rules it works, is not known.
            target: The container that `requested.target_id` names.
            privileged: As CreateContainer asks.
        """
        if sandbox is None or not follows_containerds_rules(sandbox.runtime_type):
            return _NOTHING
        return _foreseen(
            requested,
            sandbox.pid,
            sandbox.assigned.get(NamespaceType.USER),
            target.pid if target else None,
            privileged,
            self._cgroup_version,
            self._predictions.disproved(sandbox.runtime_handler),
        )

    def prepare(self, requested: RequestedNamespaces, sandbox: Known | None) -> None:
        """A pod that asked for this runs: its containers are to come."""
        foreseen = self.of(requested, sandbox, None, privileged=False)
        foreseen.annotations.addition_to(b"", _ANY_AUDIT_ID, has_sandbox_config=True)


@functools.lru_cache(maxsize=1024)
def _foreseen(  # noqa: PLR0917 - a cache's key
    requested: RequestedNamespaces,
    sandbox_pid: int | None,
    users_assigned: str | None,
    target_pid: int | None,
    privileged: bool,  # noqa: FBT001 - likewise
    cgroup_version: int,
    disproved: frozenset[NamespaceType],
) -> Foreseen:
    assigned = {} if users_assigned is None else {NamespaceType.USER: users_assigned}
    certain = predict(
        requested,
        sandbox_pid=sandbox_pid,
        sandbox_assigned=assigned,
        target_pid=target_pid,
        privileged=privileged,
        cgroup_version=cgroup_version,
    )
    predicted = {type_: one for type_, one in certain.items() if type_ not in disproved}
    return Foreseen(predicted, ContainerAnnotations(predicted))
