"""DriftRecorder what no call told of: compares the node state with the runtime's lists and /proc.

One round asks for both lists and then looks at everything that is in them or in the node state, in
small steps between the follow-up worker's jobs: never while one waits, and with at most
`CALLS_PER_S` questions to the runtime. What a call under way is about is left for its answer to
tell.

Whatever it finds is marked `reconcile`, at the time when it was found; `not_before` says when it
was looked for last.
"""

from __future__ import annotations

import enum
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nsledger.auditor.calls_in_flight import Concerned
from nsledger.auditor.drift_recorder import DriftRecorder
from nsledger.auditor.jobs import Exited
from nsledger.auditor.node_state import NodeState
from nsledger.auditor.runtime_status import RuntimeStatusClient, StatusUnavailable
from nsledger.cri.status import ContainerState, ListedContainer, ListedSandbox
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.pod import Container, Pod

# How the node state and the runtime's list differ about one sandbox or one container.
#
# Pure: the rules of reconciliation without its questions. The two are never of one moment, so a
# difference is a reason to look, and whoever looks decides again by what is then seen.


class Difference(enum.Enum):
    """What is to be looked at."""

    NEW = enum.auto()
    """Listed, and nothing was seen of it, or nothing of its process."""
    ENDED = enum.auto()
    """Listed as ended, and alive in the node state."""
    MISSING = enum.auto()
    """In the node state, and not listed."""
    RESUMED = enum.auto()
    """On record as ended, and listed as running: whether its process is there."""
    RUNNING = enum.auto()
    """Both say that it runs: whether the process is there, and in the same namespaces."""


def sandbox_difference(
    pod: Pod | None, listed: ListedSandbox | None, *, looked_at: bool
) -> Difference | None:
    """How the two differ about a sandbox; `looked_at` is whether its process was."""
    if listed is None:
        return Difference.MISSING if pod is not None else None
    if pod is None:
        return Difference.NEW
    if pod.sandbox_ended:
        return Difference.RESUMED if listed.ready else None
    if not listed.ready:
        return Difference.ENDED
    return Difference.RUNNING if looked_at else Difference.NEW


def container_difference(
    container: Container | None, listed: ListedContainer | None, *, looked_at: bool
) -> Difference | None:
    """How the two differ about a container; `looked_at` is whether its process was."""
    if listed is None:
        return Difference.MISSING if container is not None else None
    if container is None:
        return Difference.NEW
    if container.ended:
        return Difference.RESUMED if listed.state is ContainerState.RUNNING else None
    if listed.state is ContainerState.EXITED:
        return Difference.ENDED
    if listed.state is not ContainerState.RUNNING:
        return None
    return Difference.RUNNING if looked_at else Difference.NEW


CALLS_PER_S: Final = 25
"""750 things at a first start (250 pods of two containers) take half a minute."""
_LOOKS_PER_STEP: Final = 16
"""Looks at /proc alone: 0.2 ms each."""
_BREATH_S: Final = 0.01
"""Between two steps that asked nothing: other threads need the interpreter too."""
_RETRY_S: Final = 5.0
"""After which a runtime that did not give its lists is asked again."""
_SECOND_LOOK_S: Final = 2.0
"""In which a runtime notices that a process has ended."""


@dataclass(frozen=True, slots=True)
class _Sandbox:
    id_: str
    listed: ListedSandbox | None


@dataclass(frozen=True, slots=True)
class _Container:
    id_: str
    listed: ListedContainer | None


_Item = _Sandbox | _Container


class Reconciliation:
    """Belongs to the follow-up worker's thread."""

    def __init__(
        self,
        *,
        runtime_status: RuntimeStatusClient,
        node_state: NodeState,
        drift_recorder: DriftRecorder,
        interval_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet.

        Args:
            runtime_status: Asks the runtime.
            node_state: What is on record.
            drift_recorder: Looks at what differs, and puts it on record.
            interval_s: From the beginning of one round to the next; 0 is never.
            now_s: A monotonic clock.
        """
        self.rounds = 0
        """Rounds that were finished."""
        self._runtime_status = runtime_status
        self._node_state = node_state
        self._drift_recorder = drift_recorder
        self._interval_s = interval_s
        self._now_s = now_s
        self._due_s = -math.inf if interval_s else math.inf
        self._under_way = False
        self._known_before: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()
        self._sandboxes: dict[str, ListedSandbox] | None = None
        self._items: deque[_Item] = deque()
        self._second_looks: deque[tuple[float, _Item]] = deque()

    def step(self, concerned: Concerned) -> float:
        """Do the next small piece; in how many seconds to come again.

        `concerned` must have been asked for before the follow-up worker's queue was seen to be
        empty.
        """
        now_s = self._now_s()
        if not self._under_way:
            if now_s < self._due_s:
                return self._due_s - now_s
            self._begin(now_s)
        asked = self._runtime_status.calls
        if self._sandboxes is None:
            self._list_sandboxes(now_s)
        elif not self._items and not self._second_looks:
            self._finish()
        else:
            self._look(concerned, now_s)
        if self._runtime_status.calls > asked:
            return 1 / CALLS_PER_S
        if self._under_way and not self._items and self._second_looks:
            return max(0.0, self._second_looks[0][0] - self._now_s())
        return _BREATH_S if self._under_way else max(0.0, self._due_s - self._now_s())

    def look_at_exited(self, job: Exited, concerned: Concerned, *, sure: bool) -> bool:
        """Look at a process that has ended; False if it is to be looked at once more, later.

        While a call is ending it, the answer of that call tells.
        """
        workloads = self._node_state.workloads
        pod, known = workloads.pods.get(job.id), workloads.container(job.id)
        if pod is not None and concerned.pod(pod.ref):
            return False
        if known is not None and concerned.container(known[0].ref.pod_sandbox_id, known[1].ref):
            return False
        return self._drift_recorder.exited(job, sure=sure)

    def _begin(self, now_s: float) -> None:
        """Note the node state before the lists are made: what is added later is not missing."""
        self._under_way = True
        self._due_s = now_s + self._interval_s
        workloads = self._node_state.workloads
        self._known_before = (
            frozenset(id_ for id_ in workloads.pods if id_),
            frozenset(id_ for pod in workloads.pods.values() for id_ in pod.containers),
        )
        self._drift_recorder.begin_round()

    def _list_sandboxes(self, now_s: float) -> None:
        sandboxes = self._runtime_status.sandboxes()
        if isinstance(sandboxes, StatusUnavailable):
            self._give_up(now_s)
            return
        containers = self._runtime_status.containers()
        if isinstance(containers, StatusUnavailable):
            self._give_up(now_s)
            return
        listed_sandboxes = {one.pod.pod_sandbox_id: one for one in sandboxes}
        listed_containers = {one.container.container_id: one for one in containers}
        pods_before, containers_before = self._known_before
        self._sandboxes = listed_sandboxes
        # New pods before their containers, and lost containers before their pods.
        self._items.extend(_Sandbox(id_, one) for id_, one in listed_sandboxes.items())
        self._items.extend(_Container(id_, one) for id_, one in listed_containers.items())
        self._items.extend(
            _Container(id_, None) for id_ in containers_before - listed_containers.keys()
        )
        self._items.extend(_Sandbox(id_, None) for id_ in pods_before - listed_sandboxes.keys())

    def _give_up(self, now_s: float) -> None:
        self._due_s = min(self._due_s, now_s + _RETRY_S)
        self._under_way = False

    def _finish(self) -> None:
        self._drift_recorder.end_round()
        self.rounds += 1
        self._under_way = False
        self._sandboxes = None

    def _look(self, concerned: Concerned, now_s: float) -> None:
        asked = self._runtime_status.calls
        for _ in range(_LOOKS_PER_STEP):
            second = not self._items
            if not second:
                item = self._items.popleft()
            elif self._second_looks and self._second_looks[0][0] <= now_s:
                item = self._second_looks.popleft()[1]
            else:
                return
            if not self._look_at(item, concerned, sure=second):
                self._second_looks.append((now_s + _SECOND_LOOK_S, item))
            if self._runtime_status.calls > asked:
                return

    def _look_at(self, item: _Item, concerned: Concerned, *, sure: bool) -> bool:
        """Look at one thing; False if it is to be looked at once more, to be `sure`."""
        if isinstance(item, _Sandbox):
            return self._look_at_sandbox(item, concerned, sure=sure)
        return self._look_at_container(item, concerned, sure=sure)

    def _look_at_sandbox(self, item: _Sandbox, concerned: Concerned, *, sure: bool) -> bool:
        pod = self._node_state.workloads.pods.get(item.id_)
        listed_ref = item.listed.pod if item.listed else PodRef(pod_sandbox_id=item.id_)
        if concerned.pod(pod.ref.completed_by(listed_ref) if pod else listed_ref):
            self._drift_recorder.skip(item.id_)
            return True
        looked_at = item.id_ in self._node_state.known
        match sandbox_difference(pod, item.listed, looked_at=looked_at):
            case Difference.NEW:
                self._drift_recorder.new_sandbox(item.id_)
            case Difference.ENDED:
                self._drift_recorder.ended_sandbox(item.id_)
            case Difference.MISSING:
                self._drift_recorder.missing_sandbox(item.id_)
            case Difference.RUNNING:
                return self._drift_recorder.running_sandbox(item.id_, sure=sure)
            case Difference.RESUMED:
                self._drift_recorder.resumed_sandbox(item.id_)
            case None:
                pass
        return True

    def _look_at_container(self, item: _Container, concerned: Concerned, *, sure: bool) -> bool:
        known = self._node_state.workloads.container(item.id_)
        pod_sandbox_id = item.listed.pod_sandbox_id if item.listed else ""
        pod_sandbox_id = pod_sandbox_id or (known[0].ref.pod_sandbox_id if known else "")
        ref = item.listed.container if item.listed else ContainerRef(container_id=item.id_)
        if concerned.container(pod_sandbox_id, ref):
            self._drift_recorder.skip(item.id_)
            return True
        looked_at = item.id_ in self._node_state.known
        container = known[1] if known else None
        match container_difference(container, item.listed, looked_at=looked_at):
            case Difference.NEW:
                self._drift_recorder.new_container(item.id_, pod_sandbox_id)
            case Difference.ENDED:
                self._drift_recorder.listed_as_ended(item.id_)
            case Difference.MISSING:
                self._drift_recorder.missing_container(item.id_)
            case Difference.RUNNING:
                return self._drift_recorder.running_container(item.id_, sure=sure)
            case Difference.RESUMED:
                self._drift_recorder.resumed_container(item.id_)
            case None:
                pass
        return True
