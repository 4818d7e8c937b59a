"""The composition root of `nsledger serve`: who is made of whom, and started in which order.

The relay has the main thread. Recorder and witness have one each; they start first and end last,
so that whatever the relay sees has somewhere to go.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from importlib import metadata
from typing import Final

import structlog

from nsledger.audit.evidence import Evidence, Sources
from nsledger.audit.watcher import CallWatcher, Policy
from nsledger.audit.witness import Witness
from nsledger.cli import log_output
from nsledger.cli.configuration import Configuration
from nsledger.cri.client import RuntimeClient
from nsledger.domain.events import DaemonStarted, DaemonStopped, Source
from nsledger.ledger.writer import LedgerWriter
from nsledger.proc import node
from nsledger.proc.clock import NodeClock
from nsledger.recorder.recorder import Recorder
from nsledger.relay.listener import Listener
from nsledger.relay.relay import Options, Relay
from nsledger.spool.inbox import Inbox

log = structlog.get_logger(__name__)

_LEDGER_ID_BYTES: Final = 16
_WITNESS_CLOSE_S: Final = 5.0
_RECORDER_CLOSE_S: Final = 5.0


def serve(configuration: Configuration) -> None:
    """Relay and record until SIGTERM or SIGINT; returns when everything is drained and flushed.

    Raises:
        NsledgerError: the socket or the ledger cannot be had.
        OSError: the same, from the kernel.
    """
    started_s = time.monotonic()
    log_output.configure(configuration.log_level, configuration.log_format)
    clock = NodeClock(node.boot_id())
    host = node.host_reference()
    recorder = Recorder(
        lambda: LedgerWriter.open(configuration.ledger),
        now=clock.now,
        new_ledger_id=lambda: secrets.token_hex(_LEDGER_ID_BYTES),
    )
    sources = Sources(
        connect=lambda: RuntimeClient(
            configuration.upstream, timeout_s=configuration.status_timeout_s
        ),
        spool=Inbox(
            configuration.spool,
            now=clock.now,
            on_refused=lambda reason, name: recorder.gap(reason, detail=name),
        ),
        clock=clock,
        host=host.reading,
    )
    evidence = Evidence(sources=sources, recorder=recorder)
    witness = Witness(evidence=evidence, recorder=recorder, cgroup_version=node.cgroup_version())
    policy = Policy(
        annotate=configuration.annotate,
        sync=configuration.write_ahead == "sync",
        fail_closed=configuration.failure_policy == "fail",
    )
    watcher = CallWatcher(recorder=recorder, witness=witness, clock=clock, policy=policy)
    options = Options(
        hold_limit_s=configuration.hold_limit_s,
        drain_timeout_s=configuration.drain_timeout_s,
        fail_closed=policy.fail_closed,
    )
    with Listener.claim(configuration.listen, upstream=configuration.upstream) as listener:
        relay = Relay(listener.socket, configuration.upstream, watcher, options)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.drain())
        recorder.start()
        recorder.record(
            DaemonStarted(
                source=Source.DAEMON,
                version=metadata.version("nsledger"),
                pid=os.getpid(),
                node_name=node.node_name(),
                kernel_release=node.kernel_release(),
                host=host.reading,
                host_reference=host.path,
                cgroup_version=node.cgroup_version(),
            ),
            at=clock.now(),
        )
        witness.start()
        log.info(
            "daemon.started",
            listen=configuration.listen,
            upstream=configuration.upstream,
            ledger=configuration.ledger,
            startup_ms=round((time.monotonic() - started_s) * 1000),
        )
        relay.run()
    witness.close(_WITNESS_CLOSE_S)
    recorder.record(DaemonStopped(source=Source.DAEMON, reason="signal"), at=clock.now())
    lost = recorder.close(_RECORDER_CLOSE_S)
    evidence.close()
    log.info("daemon.stopped", appended=recorder.appended, lost=lost)
