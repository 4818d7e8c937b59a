"""The follow-up worker: jobs in the order of the responses, idle tasks between them.

The rest is the spool, and reconciliation, a small step at a time. Before all else it restores
what is on record already.

It never touches a call, except to let one go on that waited for it. An exception in one job is
logged, counted as a gap, and ends that job only: the audit must outlive its own mistakes.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, assert_never

import structlog

from nsledger.auditor.call_outcomes import CallOutcomes
from nsledger.auditor.calls_in_flight import InFlight
from nsledger.auditor.idle_gate import IdleGate
from nsledger.auditor.jobs import Exited, FollowUp, Job, Learn, LookUpSandbox
from nsledger.auditor.node_state import Known
from nsledger.auditor.reconcile import Reconciliation
from nsledger.cri.created import decode_run_pod_sandbox_answer
from nsledger.cri.messages import UndecodableError
from nsledger.cri.methods import Method
from nsledger.cri.watched_requests import RunPodSandbox
from nsledger.model.events import ContainerRequested, PodRequested
from nsledger.recorder.recorder import Recorder

log = structlog.get_logger(__name__)

_QUEUE_LIMIT: Final = 10_000
_COURTEOUS_UP_TO: Final = 1000
"""With more jobs than this the follow-up worker gives way to nobody."""
_SPOOL_INTERVAL_S: Final = 0.5
_QUIET_SPOOL_INTERVAL_S: Final = 2.0
"""When nothing was to be done for a while. What a call led to is looked for with its answer."""
_QUIET_S: Final = 10.0
_LATER_S: Final = 1.0
"""Until the next step of a reconciliation of which one failed, or was not to be taken."""
_SETTLE_S: Final = 0.2
"""In which a runtime mostly notices that a process has ended."""
_LOOKS_TO_BE_SURE: Final = 3
"""After so many, a second apart, a runtime that still calls a dead process running is on record."""


class FollowUpWorker:
    """Works the jobs that `CriInterceptor` puts. Any thread may call the public methods."""

    def __init__(
        self,
        *,
        evidence: CallOutcomes,
        reconciliation: Reconciliation,
        in_flight: InFlight,
        recorder: Recorder,
        restore: Callable[[], None],
        alone: Callable[[], bool],
        idle_gate: IdleGate,
        pause: Callable[[], None],
    ) -> None:
        """Nothing runs yet.

        Args:
            evidence: Works the jobs.
            reconciliation: Works when there are none.
            in_flight: The calls whose answers are still to come.
            recorder: Gets the gaps.
            restore: Called first of all.
            alone: Whether no other process follows up calls of this node, as one does that hands
                over. What it makes is no find, so nothing is looked for meanwhile.
            idle_gate: Keeps what can wait from the relay's way.
            pause: Called now and then while there is nothing to do.
        """
        self._evidence = evidence
        self._reconciliation = reconciliation
        self._in_flight = in_flight
        self._recorder = recorder
        self._restore = restore
        self._alone = alone
        self._idle_gate = idle_gate
        self._pause = pause
        self._hurry = threading.Event()
        """Set while the queue holds what somebody waits for, or what is gone soon."""
        self._to_remember: deque[PodRequested | ContainerRequested] = deque()
        self._exits: deque[tuple[float, Exited, int]] = deque()
        """Processes that have ended: when to look at each, and how often that was done."""
        self._spool_at_s = 0.0
        self._busy_at_s = 0.0
        self._reconcile_at_s = 0.0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._working = False
        self._taken: deque[Job | None] = deque()
        """Taken out of the queue and not worked yet: what is urgent among them goes first."""
        self._thread = threading.Thread(target=self._run, name="follow-up worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def remember(self, event: PodRequested | ContainerRequested) -> None:
        """A request was recorded and goes on: its answer will be joined with it.

        It is folded with the next job. To wake the thread for it would add to the call.
        """
        self._to_remember.append(event)

    def put(self, job: Job) -> None:
        """Add a job. Never blocks: past the limit it is dropped, which is a gap."""
        if self._waiting() < _QUEUE_LIMIT:
            if not isinstance(job, Exited) and not _can_wait(job):
                self._hurry.set()
            self._jobs.put(job)
            return
        self._recorder.gap("witness_queue_full", detail=type(job).__name__)
        if isinstance(job, LookUpSandbox):
            job.then()

    def close(self, timeout_s: float) -> None:
        """Work what is queued, for at most `timeout_s`; what is left is a gap."""
        self._hurry.set()
        self._jobs.put(None)
        self._thread.join(timeout_s)
        left = self._waiting()
        if left:
            self._recorder.gap("stopped_before_follow_up", count=left)

    def known(self, id_: str | None) -> Known | None:
        """The sandbox or started container of that id; None if it was not looked at."""
        return self._evidence.node_state.known.get(id_) if id_ else None

    def _run(self) -> None:
        self._guarded("restored state", self._restore)
        while True:
            exit_at_s = self._exits[0][0] if self._exits else math.inf
            wait_s = min(self._spool_at_s, self._reconcile_at_s, exit_at_s) - time.monotonic()
            if self._is_idle():
                self._hurry.clear()
            try:
                job = self._next(max(0.0, wait_s))
            except queue.Empty:
                self._rest()
                continue
            if job is None:
                self._guarded("spool", self._take_in_spool)
                return
            self._busy_at_s = time.monotonic()
            self._work(job)
            self._working = False

    @property
    def is_busy(self) -> bool:
        """Whether a job waits or is being worked."""
        return self._working or bool(self._waiting())

    def _waiting(self) -> int:
        return len(self._taken) + self._jobs.qsize()

    def _next(self, wait_s: float) -> Job | None:
        """The job to work next: a call that is held waits for it before everything else does.

        Raises:
            queue.Empty: none came within `wait_s`.
        """
        taken = self._taken
        if not taken:
            taken.append(self._jobs.get(timeout=wait_s))
        self._working = True
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._jobs.get_nowait())
        look_up = next((job for job in taken if isinstance(job, LookUpSandbox)), None)
        if look_up is None:
            return taken.popleft()
        # If its sandbox was made a moment ago, the response that tells of it comes first.
        made = next((job for job in taken if _made(job, look_up.pod_sandbox_id)), None)
        first = look_up if made is None else made
        taken.remove(first)
        return first

    def _is_idle(self) -> bool:
        """Whether no job waits. Asked after `concerned`: what was answered since is a job."""
        return not self._taken and self._jobs.empty()

    def _rest(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._spool_at_s:
            quiet = now_s - self._busy_at_s >= _QUIET_S
            self._spool_at_s = now_s + (_QUIET_SPOOL_INTERVAL_S if quiet else _SPOOL_INTERVAL_S)
            self._guarded("spool", self._take_in_spool)
            self._pause()
        if now_s >= self._reconcile_at_s:
            self._reconcile_at_s = now_s + _LATER_S
            self._guarded("reconciliation", self._reconcile)

        if self._exits and now_s >= self._exits[0][0]:
            self._guarded("exit", self._look_at_exited)

    def _look_at_exited(self) -> None:
        _, job, looks = self._exits.popleft()
        concerned = self._in_flight.concerned()
        # In this order: a call that was answered in between is in the queue.
        if self._alone() and self._is_idle():
            looks += 1
            sure = looks >= _LOOKS_TO_BE_SURE
            if self._reconciliation.look_at_exited(job, concerned, sure=sure):
                return
        self._exits.append((time.monotonic() + _LATER_S, job, looks))

    def _take_in_spool(self) -> None:
        if self._evidence.take_in_spool():
            self._busy_at_s = time.monotonic()

    def _reconcile(self) -> None:
        if not self._alone():
            return
        concerned = self._in_flight.concerned()
        # In this order: a call that was answered in between is in the queue.
        idle = self._is_idle()
        if idle and (missed := self._evidence.settle_not_found(concerned)):
            self._recorder.gap("status_unavailable", count=missed, detail="NOT_FOUND")
        wait_s = self._reconciliation.step(concerned) if idle else 0.0
        self._reconcile_at_s = time.monotonic() + wait_s

    def _work(self, job: Job) -> None:
        if _can_wait(job) and self._waiting() < _COURTEOUS_UP_TO:
            self._idle_gate.wait(self._hurry)
        while self._to_remember:
            self._evidence.remember(self._to_remember.popleft())
        match job:
            case Learn():
                self._evidence.node_state.apply_remote(job.event, job.at)
            case LookUpSandbox():
                self._guarded("sandbox", lambda: self._evidence.adopt(job.pod_sandbox_id))
                self._guarded("CreateContainer", job.then)
            case Exited():
                self._exits.append((time.monotonic() + _SETTLE_S, job, 0))
            case FollowUp():
                self._guarded(job.asked.method, lambda: self._evidence.follow_up(job))
            case _:
                assert_never(job)

    def _guarded(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a thread's last line of defence; see above
            # The message may quote what a runtime said, so only the error's kind is shown.
            log.error(  # noqa: TRY400 - a traceback would quote it too
                "follow-up worker.job_failed", job=name, error=type(error).__name__
            )
            self._recorder.gap("witness_failed", detail=f"{name}: {type(error).__name__}")


def _made(job: Job | None, pod_sandbox_id: str) -> bool:
    """Whether it is the response of the call that made that sandbox."""
    if not isinstance(job, FollowUp) or job.grpc_status != 0:
        return False
    match job.asked.request:
        case RunPodSandbox():
            try:
                return decode_run_pod_sandbox_answer(job.answer or b"") == pod_sandbox_id
            except UndecodableError:
                return False
        case _:
            return False


def _can_wait(job: Job) -> bool:
    """Whether a moment more changes nothing: a container that was created has no process yet."""
    return isinstance(job, FollowUp) and job.asked.method is Method.CREATE_CONTAINER
