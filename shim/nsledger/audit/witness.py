"""The witness's thread: jobs in the order in which calls were answered, and the spool between them.

It never touches a call, except to let one go on that waited for it. An exception in one job is
logged, counted as a gap, and ends that job only: the audit must outlive its own mistakes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final, assert_never

import structlog

from nsledger.audit.evidence import Evidence
from nsledger.audit.jobs import FollowUp, Job, LookUpSandbox, Remember
from nsledger.audit.picture import Known
from nsledger.recorder.recorder import Recorder

log = structlog.get_logger(__name__)

_QUEUE_LIMIT: Final = 10_000
_SPOOL_INTERVAL_S: Final = 0.5


class Witness:
    """Works the jobs that `CallWatcher` puts. Every public method may be called from any thread."""

    def __init__(self, *, evidence: Evidence, recorder: Recorder, cgroup_version: int) -> None:
        self.cgroup_version = cgroup_version
        self._evidence = evidence
        self._recorder = recorder
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Add a job. Never blocks: past the limit it is dropped, which is a gap."""
        if self._jobs.qsize() < _QUEUE_LIMIT:
            self._jobs.put(job)
            return
        self._recorder.gap("witness_queue_full", detail=type(job).__name__)
        if isinstance(job, LookUpSandbox):
            job.then()

    def close(self, timeout_s: float) -> None:
        """Work what is queued, for at most `timeout_s`; what is left is a gap."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        left = self._jobs.qsize()
        if left:
            self._recorder.gap("stopped_before_follow_up", count=left)

    def known(self, id_: str | None) -> Known | None:
        """The sandbox or started container of that id; None if it was not looked at."""
        return self._evidence.picture.known.get(id_) if id_ else None

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_SPOOL_INTERVAL_S)
            except queue.Empty:
                self._guarded("spool", self._evidence.take_in_spool)
                continue
            if job is None:
                self._guarded("spool", self._evidence.take_in_spool)
                return
            self._work(job)

    def _work(self, job: Job) -> None:
        match job:
            case Remember():
                self._evidence.picture.workloads.apply(job.event)
            case LookUpSandbox():
                self._guarded("sandbox", lambda: self._evidence.adopt(job.pod_sandbox_id))
                self._guarded("CreateContainer", job.then)
            case FollowUp():
                self._guarded(job.method, lambda: self._evidence.follow_up(job))
            case _:
                assert_never(job)

    def _guarded(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a thread's last line of defence; see above
            # The message may quote what a runtime said, so only the error's kind is shown.
            log.error(  # noqa: TRY400 - a traceback would quote it too
                "witness.job_failed", job=name, error=type(error).__name__
            )
            self._recorder.gap("witness_failed", detail=f"{name}: {type(error).__name__}")
