"""The composition root of what stands behind the relay: who is made of whom, in which order.

Recorder and follow-up worker have a thread each. They end after the relay, so that whatever it
sees has somewhere to go.
"""

from __future__ import annotations

import os
import secrets
from importlib import metadata
from typing import TYPE_CHECKING, Final

import structlog

from nsledger.auditor.annotation_cache import AnnotationCache, Predictions
from nsledger.auditor.call_outcomes import CallOutcomes
from nsledger.auditor.calls_in_flight import InFlight
from nsledger.auditor.drift_recorder import DriftRecorder
from nsledger.auditor.exit_watch import ExitWatch
from nsledger.auditor.follow_up import FollowUpWorker
from nsledger.auditor.idle_gate import IdleGate
from nsledger.auditor.interceptor import CriInterceptor, Policy
from nsledger.auditor.jobs import Learn
from nsledger.auditor.node_state import NodeState
from nsledger.auditor.observer import Observer
from nsledger.auditor.reconcile import Reconciliation
from nsledger.auditor.restore_state import RestoredState
from nsledger.auditor.runtime_status import RuntimeStatusClient
from nsledger.cri.client import RuntimeClient
from nsledger.daemon import storage
from nsledger.daemon.config import Configuration
from nsledger.daemon.handover import Predecessor, SuccessorConnection
from nsledger.index.updater import UpdaterProcess
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import HANDED_OVER, DaemonStarted, DaemonStopped, Source
from nsledger.proc import host
from nsledger.proc.process import NodeClock
from nsledger.recorder.checkpointer import Checkpointer, Schedule
from nsledger.recorder.journal import WriteAhead, left_behind
from nsledger.recorder.maintenance import Maintenance
from nsledger.recorder.previous_session import last_moment
from nsledger.recorder.recorder import Recorder
from nsledger.relay.h2.counters import Counters, Latencies
from nsledger.spool.inbox import Inbox

if TYPE_CHECKING:
    from nsledger.daemon.metrics_server import MetricsServer

log = structlog.get_logger(__name__)

_LEDGER_ID_BYTES: Final = 16
_EXIT_WATCH_CLOSE_S: Final = 1.0
_WITNESS_CLOSE_S: Final = 5.0
_RECORDER_CLOSE_S: Final = 5.0
_INDEX_CLOSE_S: Final = 1.0
_CHECKPOINTER_CLOSE_S: Final = 2.0
_UPKEEP_CLOSE_S: Final = 2.0


class Daemon:
    """Everything beside the relay: the interceptor of its calls, and who works for it."""

    def __init__(
        self, configuration: Configuration, predecessor: Predecessor | None, counters: Counters
    ) -> None:
        """`counters` are the relay's."""
        self._configuration = configuration
        self._predecessor = predecessor
        self._handed_over = False
        self._ledger = configuration.ledger
        self._metrics: MetricsServer | None = None
        self._clock = NodeClock(host.boot_id())
        self._host = host.host_reference()
        group_id = storage.group_id(configuration.ledger_group)
        fail_closed = configuration.failure_policy == "fail"
        # What must not pass unrecorded waits until it is in the ledger.
        ahead = configuration.write_ahead == "memory" and not fail_closed
        memory = os.path.dirname(os.path.abspath(configuration.listen))
        self._recorder = Recorder(
            lambda: self._open_ledger(configuration.ledger, group_id),
            now=self._clock.now,
            new_ledger_id=lambda: secrets.token_hex(_LEDGER_ID_BYTES),
            last_moment=lambda: last_moment(configuration.ledger),
            limits=storage.writer_limits(configuration),
            find_left_behind=lambda: left_behind(memory, configuration.ledger),
            ahead=_write_ahead(memory, configuration.ledger) if ahead else None,
        )
        self._index = UpdaterProcess(configuration.ledger)
        self._checkpointer = Checkpointer(
            ledger=configuration.ledger,
            key=configuration.checkpoint_key,
            file=configuration.checkpoint_file,
            schedule=Schedule(
                every_records=configuration.checkpoint_every_records,
                every_s=configuration.checkpoint_every_s,
            ),
            now=self._clock.now,
            recorder=self._recorder,
            attest=predecessor is None,
        )
        self._maintenance = Maintenance(
            self._recorder,
            configuration.ledger,
            limits=storage.retention_limits(configuration),
            prune_bytes=configuration.disk_prune_free_bytes,
            now=self._clock.now,
            cover=self._checkpointer.cover,
        )
        self._recorder.on_synced(self._checkpointer.synced)
        self._runtime_status = RuntimeStatusClient(
            lambda: RuntimeClient(configuration.upstream, timeout_s=configuration.status_timeout_s),
            on_unanswered=lambda reason: self._recorder.gap("status_unavailable", detail=reason),
        )
        self._spool = Inbox(
            configuration.spool,
            now=self._clock.now,
            on_refused=lambda reason, name: self._recorder.gap(reason, detail=name),
            on_missed=lambda count: self._recorder.gap("hook_found_spool_full", count),
        )
        node_state = NodeState(recorder=self._recorder, clock=self._clock, host=self._host.reading)
        observer = Observer(runtime_status=self._runtime_status, node_state=node_state)
        self._restored_state = RestoredState(
            node_state=node_state,
            spool=self._spool,
            recorder=self._recorder,
            ledger=configuration.ledger,
        )
        in_flight = InFlight()
        predictions = Predictions()
        annotation_cache = AnnotationCache(predictions, cgroup_version=host.cgroup_version())
        self._follow_up = FollowUpWorker(
            evidence=CallOutcomes(
                observer=observer,
                node_state=node_state,
                predictions=predictions,
                annotation_cache=annotation_cache,
                spool=self._spool,
            ),
            reconciliation=Reconciliation(
                runtime_status=self._runtime_status,
                node_state=node_state,
                drift_recorder=DriftRecorder(
                    runtime_status=self._runtime_status,
                    observer=observer,
                    node_state=node_state,
                    clock=self._clock,
                ),
                interval_s=configuration.reconcile_interval_s,
            ),
            in_flight=in_flight,
            recorder=self._recorder,
            restore=self._restored_state.restore,
            alone=self._is_alone,
            idle_gate=IdleGate(lambda: counters.client_bytes + counters.runtime_bytes),
            pause=self._runtime_status.rest,
        )
        self._exit_watch = ExitWatch(self._follow_up.put, clock=self._clock)
        node_state.exit_watch = self._exit_watch
        self.interceptor = CriInterceptor(
            recorder=self._recorder,
            follow_up=self._follow_up,
            in_flight=in_flight,
            annotation_cache=annotation_cache,
            clock=self._clock,
            policy=Policy(
                annotate=configuration.annotate,
                sync=configuration.write_ahead == "sync",
                fail_closed=fail_closed,
            ),
        )

    def start(self) -> None:
        """Open the ledger, say that we are here, and begin to follow up."""
        self._checkpointer.start()
        self._recorder.subscribe(self._index.wake)
        self._index.start()
        self._recorder.start()
        self._restored_state.first = self._recorder.record(
            DaemonStarted(
                source=Source.DAEMON,
                version=metadata.version("nsledger"),
                pid=os.getpid(),
                node_name=host.node_name(),
                kernel_release=host.kernel_release(),
                host=self._host.reading,
                host_reference=self._host.path,
                cgroup_version=host.cgroup_version(),
                predecessor_pid=self._predecessor.pid if self._predecessor else 0,
            ),
            at=self._clock.now(),
        )
        self._exit_watch.start()
        self._follow_up.start()
        self._maintenance.start()
        if self._predecessor is not None:
            self._predecessor.serve(
                self._recorder, lambda event, at: self._follow_up.put(Learn(event, at))
            )
        if self._metrics is not None:
            self._metrics.start()

    def offer_metrics(self, address: str, counters: Counters, latencies: Latencies) -> None:
        """Have metrics served at `address` from `start` on."""
        from nsledger.daemon import metrics, metrics_server  # noqa: PLC0415 - off by default

        numbers = metrics.Numbers(
            version=metadata.version("nsledger"),
            ledger=self._ledger,
            counters=counters,
            latencies=latencies,
            recorder=self._recorder,
        )
        self._metrics = metrics_server.MetricsServer(address, metrics.scraper(numbers))

    def log_start(self, startup_ms: int) -> None:
        """Say what is served."""
        log.info(
            "daemon.started",
            listen=self._configuration.listen,
            upstream=self._configuration.upstream,
            ledger=self._configuration.ledger,
            predecessor_pid=self._predecessor.pid if self._predecessor else None,
            startup_ms=startup_ms,
        )

    def hand_over(self, successor: SuccessorConnection) -> None:
        """Say that we leave, let the ledger go, and tell the successor what is still to come."""
        self._handed_over = True
        self._index.close(_INDEX_CLOSE_S)
        self._recorder.hand_over(
            successor, farewell=DaemonStopped(source=Source.DAEMON, reason=HANDED_OVER)
        )
        if self._metrics is not None:
            self._metrics.close()

    def stop(self, *, patience_s: float) -> None:
        """Follow up what was answered, say that we leave, and sync; each within its bound.

        Args:
            patience_s: How long a predecessor that still has calls may tell through us.
        """
        if self._metrics is not None and not self._handed_over:
            self._metrics.close()
        self._exit_watch.close(_EXIT_WATCH_CLOSE_S)
        self._follow_up.close(_WITNESS_CLOSE_S)
        if self._handed_over and self._predecessor is not None:
            self._predecessor.wait_until_gone(patience_s)
        if not self._handed_over:
            stopped = DaemonStopped(source=Source.DAEMON, reason="signal")
            self._recorder.record(stopped, at=self._clock.now())
        self._maintenance.close(_UPKEEP_CLOSE_S)
        lost = self._recorder.close(_RECORDER_CLOSE_S)
        self._index.close(_INDEX_CLOSE_S)
        self._checkpointer.close(_CHECKPOINTER_CLOSE_S)
        self._runtime_status.close()
        self._spool.close()
        log.info("daemon.stopped", appended=self._recorder.appended, lost=lost)

    def _is_alone(self) -> bool:
        return not self._handed_over and (self._predecessor is None or self._predecessor.gone)

    def _open_ledger(self, directory: str, group_id: int | None) -> LedgerWriter:
        if self._predecessor is not None:
            self._predecessor.wait_for_ledger()
        return LedgerWriter.open(directory, group_id=group_id)


def _write_ahead(directory: str, ledger: str) -> WriteAhead | None:
    """Memory for records that are on their way, if there is any; without, requests wait."""
    try:
        ahead = WriteAhead.create(directory, ledger)
    except OSError as error:
        log.warning("ahead.unavailable", directory=directory, error=type(error).__name__)
        return None
    if ahead is None:
        log.info("ahead.unavailable", directory=directory, error="not on a tmpfs")
    return ahead
