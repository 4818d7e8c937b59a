"""What a container will join and how its request is annotated with it, worked out before it comes.

A kubelet asks for the containers of a pod with the namespace options that it asked for the pod. So
as soon as a sandbox runs, the follow-up worker has all of it made ready, on a thread for which
nobody waits, and CreateContainer finds it. What was not worked out before is worked out when it is
asked for.
"""

from __future__ import annotations

import functools
from typing import Final

import msgspec

from nsledger.auditor.node_state import Known
from nsledger.cri.annotations import AUDIT_ID_DIGITS, ContainerAnnotations
from nsledger.cri.runtime_types import follows_containerds_rules
from nsledger.model.events import ContainerRequested
from nsledger.model.namespaces import AssignedNamespaces, NamespaceType, RequestedNamespaces
from nsledger.rules.prediction import predict

# Which predictions may be annotated: none that this node has shown to be wrong.
#
# `nsledger.rules.prediction` knows containerd's rules and its default spec. A handler's base
# spec
# may add a namespace, and then one type is predicted wrongly for every container of that handler.
# So
# each prediction is held against what the runtime wrote, and a type that was wrong once is not
# predicted again for that handler while the daemon runs.
#
# The relay's thread reads, the follow-up worker's thread writes.

_EXPECTED_LIMIT: Final = 1024
"""Requests that wait for what the runtime wrote; of more, the oldest are taken for lost."""
_THROUGH_PROCESS: Final = "/proc/"
_NONE: Final[frozenset[NamespaceType]] = frozenset()


class Predictions:
    """What was predicted, and what became of it."""

    def __init__(self) -> None:
        self._disproved: dict[str, frozenset[NamespaceType]] = {}
        """By runtime handler. Sets are replaced, never changed: another thread reads them."""
        self._expected: dict[str, ContainerRequested] = {}
        """By audit id."""

    def disproved(self, runtime_handler: str) -> frozenset[NamespaceType]:
        """The types whose prediction was wrong for this handler."""
        return self._disproved.get(runtime_handler, _NONE)

    def expect(self, event: ContainerRequested) -> None:
        """A prediction was annotated."""
        if event.predicted and event.audit_id:
            self._expected[event.audit_id] = event
            if len(self._expected) > _EXPECTED_LIMIT:
                del self._expected[next(iter(self._expected))]

    def compare(self, audit_id: str, runtime_handler: str, assigned: AssignedNamespaces) -> None:
        """Hold the prediction of that call against what the runtime wrote."""
        expected = self._expected.pop(audit_id, None)
        if expected is None:
            return
        wrong = {
            type_
            for type_, one in expected.predicted.items()
            if type_ in assigned and _contradict(one, assigned[type_])
        }
        if wrong:
            self._disproved[runtime_handler] = self.disproved(runtime_handler) | wrong


def _contradict(predicted: str, assigned: str) -> bool:
    """Whether the rule was wrong; that a process is another one by now is no fault of it."""
    both_through_processes = predicted.startswith(_THROUGH_PROCESS) and assigned.startswith(
        _THROUGH_PROCESS
    )
    return predicted != assigned and not both_through_processes


_ANY_AUDIT_ID: Final = "0" * AUDIT_ID_DIGITS


class CachedAnnotations(msgspec.Struct, frozen=True):
    """Shared by all requests that it holds for; nobody changes it."""

    predicted: AssignedNamespaces
    annotations: ContainerAnnotations


_NOTHING: Final = CachedAnnotations({}, ContainerAnnotations({}))


class AnnotationCache:
    """By what this node has shown. May be asked from any thread."""

    def __init__(self, predictions: Predictions, *, cgroup_version: int) -> None:
        self._predictions = predictions
        self._cgroup_version = cgroup_version

    def get(
        self,
        requested: RequestedNamespaces,
        sandbox: Known | None,
        target: Known | None,
        *,
        privileged: bool,
    ) -> CachedAnnotations:
        """What a container that asks for this will get.

        Args:
            requested: By the container.
            sandbox: Nothing is worked out before where it, or by which rules it works, is not
            known.
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

    def warm(self, requested: RequestedNamespaces, sandbox: Known | None) -> None:
        """A pod that asked for this runs: its containers are to come."""
        cached = self.get(requested, sandbox, None, privileged=False)
        cached.annotations.addition_to(b"", _ANY_AUDIT_ID, has_sandbox_config=True)


@functools.lru_cache(maxsize=1024)
def _foreseen(  # noqa: PLR0917 - a cache's key
    requested: RequestedNamespaces,
    sandbox_pid: int | None,
    users_assigned: str | None,
    target_pid: int | None,
    privileged: bool,  # noqa: FBT001 - likewise
    cgroup_version: int,
    disproved: frozenset[NamespaceType],
) -> CachedAnnotations:
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
    return CachedAnnotations(predicted, ContainerAnnotations(predicted))
