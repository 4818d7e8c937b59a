"""Which predictions may be annotated: none that this node has shown to be wrong.

`nsledger.domain.prediction` knows containerd's rules and its default spec. A handler's base spec
may add a namespace, and then one type is predicted wrongly for every container of that handler. So
each prediction is held against what the runtime wrote, and a type that was wrong once is not
predicted again for that handler while the daemon runs.

The relay's thread reads, the witness's thread writes.
"""

from __future__ import annotations

from typing import Final

from nsledger.domain.events import ContainerRequested
from nsledger.domain.namespaces import AssignedNamespaces, NamespaceType

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
