"""The composition root of `nsledger serve`: who is made of whom, and started in which order.

The relay has the main thread; recorder and witness have one each. These two start first and end
last, so that whatever the relay sees has somewhere to go.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from importlib import metadata
from types import FrameType
from typing import Final

import structlog

from nsledger.audit.evidence import Evidence
from nsledger.audit.finds import Finds
from nsledger.audit.in_flight import InFlight
from nsledger.audit.inquiry import Inquiry
from nsledger.audit.jobs import Learn
from nsledger.audit.observer import Observer
from nsledger.audit.picture import Picture
from nsledger.audit.predictions import Predictions
from nsledger.audit.recollection import Recollection
from nsledger.audit.reconciliation import Reconciliation
from nsledger.audit.watcher import CallWatcher, Policy
from nsledger.audit.witness import Witness
from nsledger.cli import log_output
from nsledger.cli.configuration import Configuration
from nsledger.cli.succession import (
    Predecessor,
    Succession,
    SuccessorConnection,
    begin_successor,
)
from nsledger.cri.client import RuntimeClient
from nsledger.domain.events import DaemonStarted, DaemonStopped, Source
from nsledger.index.keeper import IndexKeeper
from nsledger.ledger.writer import LedgerWriter
from nsledger.proc import node
from nsledger.proc.clock import NodeClock
from nsledger.recorder.checkpointer import Checkpointer, Schedule
from nsledger.recorder.last_moment import last_moment
from nsledger.recorder.recorder import Recorder
from nsledger.relay import listening
from nsledger.relay.control import ask_for_sockets
from nsledger.relay.listening import ListeningSocket
from nsledger.relay.loop import Relay
from nsledger.relay.options import RelayOptions
from nsledger.spool.inbox import Inbox

log = structlog.get_logger(__name__)

_LEDGER_ID_BYTES: Final = 16
_WITNESS_CLOSE_S: Final = 5.0
_RECORDER_CLOSE_S: Final = 5.0
_INDEX_CLOSE_S: Final = 1.0
_CHECKPOINTER_CLOSE_S: Final = 2.0


def serve(configuration: Configuration, *, take_over: bool = False) -> None:
    """Relay and record until SIGTERM or SIGINT, or until another process has taken over.

    Returns when calls are drained and records synced.

    Args:
        configuration: What is in force.
        take_over: Take the socket and the ledger of the running process over, if there is one.

    Raises:
        ListenError: the socket cannot be had.
        HandoverError: the running process does not hand over.
        OSError: the kernel refuses it.
    """
    began_s = time.monotonic()
    log_output.configure(configuration.log_level, configuration.log_format)
    ours, predecessor = _listen(configuration, take_over=take_over)
    succession: Succession | None = None
    try:
        daemon = Daemon(configuration, predecessor)
        relay = Relay(
            ours.sock,
            configuration.upstream,
            daemon.watcher,
            RelayOptions(
                hold_limit_s=configuration.hold_limit_s,
                failure_policy=configuration.failure_policy,
            ),
        )

        def hand_over(successor: SuccessorConnection, _pid: int) -> None:
            relay.hand_over(configuration.drain_timeout_s)
            daemon.hand_over(successor)

        succession = Succession(ours, hand_over)
        _heed_signals(relay, succession, configuration.drain_timeout_s)
        daemon.start()
        succession.start()
        log.info(
            "daemon.started",
            listen=configuration.listen,
            upstream=configuration.upstream,
            ledger=configuration.ledger,
            predecessor_pid=predecessor.pid if predecessor else None,
            startup_ms=round((time.monotonic() - began_s) * 1000),
        )
        relay.run()
        succession.close()
        daemon.stop(patience_s=configuration.drain_timeout_s)
    finally:
        if succession is not None and succession.offered:
            ours.leave()
        else:
            ours.close()


def _listen(
    configuration: Configuration, *, take_over: bool
) -> tuple[ListeningSocket, Predecessor | None]:
    offered = ask_for_sockets(configuration.listen) if take_over else None
    if offered is None:
        return listening.listen(configuration.listen, configuration.upstream), None
    try:
        taken = listening.take_over(offered, configuration.listen, configuration.upstream)
    except BaseException:
        offered.decline()
        raise
    return taken, Predecessor(offered.connection, offered.pid)


class Daemon:
    """Everything beside the relay: the watcher of its calls, and who works for it."""

    def __init__(self, configuration: Configuration, predecessor: Predecessor | None) -> None:
        self._predecessor = predecessor
        self._handed_over = False
        self._clock = NodeClock(node.boot_id())
        self._host = node.host_reference()
        self._recorder = Recorder(
            lambda: self._open_ledger(configuration.ledger),
            now=self._clock.now,
            new_ledger_id=lambda: secrets.token_hex(_LEDGER_ID_BYTES),
            last_moment=lambda: last_moment(configuration.ledger),
        )
        self._index = IndexKeeper(configuration.ledger)
        self._checkpointer = Checkpointer(
            ledger=configuration.ledger,
            key=configuration.checkpoint_key,
            file=configuration.checkpoint_file,
            schedule=Schedule(
                every_records=configuration.checkpoint_every_records,
                every_s=configuration.checkpoint_every_s,
            ),
            now=self._clock.now,
        )
        self._recorder.on_synced(self._checkpointer.synced)
        self._inquiry = Inquiry(
            lambda: RuntimeClient(configuration.upstream, timeout_s=configuration.status_timeout_s),
            on_unanswered=lambda reason: self._recorder.gap("status_unavailable", detail=reason),
        )
        self._spool = Inbox(
            configuration.spool,
            now=self._clock.now,
            on_refused=lambda reason, name: self._recorder.gap(reason, detail=name),
        )
        picture = Picture(recorder=self._recorder, clock=self._clock, host=self._host.reading)
        observer = Observer(inquiry=self._inquiry, picture=picture)
        self._recollection = Recollection(
            picture=picture,
            spool=self._spool,
            recorder=self._recorder,
            ledger=configuration.ledger,
        )
        in_flight = InFlight()
        predictions = Predictions()
        self._witness = Witness(
            evidence=Evidence(
                observer=observer, picture=picture, predictions=predictions, spool=self._spool
            ),
            reconciliation=Reconciliation(
                inquiry=self._inquiry,
                picture=picture,
                finds=Finds(
                    inquiry=self._inquiry, observer=observer, picture=picture, clock=self._clock
                ),
                interval_s=configuration.reconcile_interval_s,
            ),
            in_flight=in_flight,
            recorder=self._recorder,
            cgroup_version=node.cgroup_version(),
            recollect=self._recollection.recollect,
            alone=self._is_alone,
        )
        self.watcher = CallWatcher(
            recorder=self._recorder,
            witness=self._witness,
            in_flight=in_flight,
            predictions=predictions,
            clock=self._clock,
            policy=Policy(
                annotate=configuration.annotate,
                sync=configuration.write_ahead == "sync",
                fail_closed=configuration.failure_policy == "fail",
            ),
        )

    def start(self) -> None:
        """Open the ledger, say that we are here, and begin to follow up."""
        self._checkpointer.start()
        self._recorder.subscribe(self._index.wake)
        self._index.start()
        self._recorder.start()
        self._recollection.first = self._recorder.record(
            DaemonStarted(
                source=Source.DAEMON,
                version=metadata.version("nsledger"),
                pid=os.getpid(),
                node_name=node.node_name(),
                kernel_release=node.kernel_release(),
                host=self._host.reading,
                host_reference=self._host.path,
                cgroup_version=node.cgroup_version(),
                predecessor_pid=self._predecessor.pid if self._predecessor else 0,
            ),
            at=self._clock.now(),
        )
        self._witness.start()
        if self._predecessor is not None:
            self._predecessor.serve(
                self._recorder, lambda event, at: self._witness.put(Learn(event, at))
            )

    def hand_over(self, successor: SuccessorConnection) -> None:
        """Say that we leave, let the ledger go, and tell the successor what is still to come."""
        self._handed_over = True
        self._record_end("handed over")
        self._index.close(_INDEX_CLOSE_S)
        self._recorder.hand_over(successor)

    def stop(self, *, patience_s: float) -> None:
        """Follow up what was answered, say that we leave, and sync; each within its bound.

        Args:
            patience_s: How long a predecessor that still has calls may tell through us.
        """
        self._witness.close(_WITNESS_CLOSE_S)
        if self._handed_over and self._predecessor is not None:
            self._predecessor.wait_until_gone(patience_s)
        if not self._handed_over:
            self._record_end("signal")
        lost = self._recorder.close(_RECORDER_CLOSE_S)
        self._index.close(_INDEX_CLOSE_S)
        self._checkpointer.close(_CHECKPOINTER_CLOSE_S)
        self._inquiry.close()
        self._spool.close()
        log.info("daemon.stopped", appended=self._recorder.appended, lost=lost)

    def _is_alone(self) -> bool:
        return not self._handed_over and (self._predecessor is None or self._predecessor.gone)

    def _open_ledger(self, directory: str) -> LedgerWriter:
        if self._predecessor is not None:
            self._predecessor.wait_for_ledger()
        return LedgerWriter.open(directory)

    def _record_end(self, reason: str) -> None:
        stopped = DaemonStopped(source=Source.DAEMON, reason=reason)
        self._recorder.record(stopped, at=self._clock.now())


def _heed_signals(relay: Relay, succession: Succession, drain_timeout_s: float) -> None:
    """The first SIGTERM or SIGINT drains, the second hangs up; SIGHUP begins a successor."""
    heard: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        if heard:
            relay.stop()
        elif succession.offered:
            relay.hand_over(drain_timeout_s)
        else:
            relay.drain(drain_timeout_s)
        heard.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    signal.signal(signal.SIGHUP, _renew)


def _renew(_number: int, _frame: FrameType | None) -> None:
    threading.Thread(target=begin_successor, name="successor", daemon=True).start()
