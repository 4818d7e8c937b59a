"""`nsledger serve` as a process: the kubelet's socket first, then all that stands behind it.

The relay has the main thread, and serves before what records is even imported: that takes several
times as long as all that the relay needs. Calls that nobody watches pass at once; a watched one
waits those moments. So neither this module nor what it imports may import structlog or protobuf.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Final

from nsledger.cri import methods
from nsledger.daemon.config import Configuration
from nsledger.daemon.notify import Notifier
from nsledger.relay import listener
from nsledger.relay.buffering import BufferingInterceptor
from nsledger.relay.control import ask_for_sockets
from nsledger.relay.dispatch import RelayOptions
from nsledger.relay.h2.counters import Latencies
from nsledger.relay.listener import ListeningSocket
from nsledger.relay.server import Relay

if TYPE_CHECKING:
    from nsledger.daemon.app import Daemon
    from nsledger.daemon.handover import Predecessor, Succession, SuccessorConnection


_COLLECT_AFTER: Final = 10_000
"""So many objects more than before; Python's default is 700, which 100 calls make."""


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
    ours, predecessor = _listen(configuration, take_over=take_over)
    interceptor = BufferingInterceptor(methods.treatment)
    latencies = Latencies() if configuration.metrics_listen else None
    relay = Relay(
        ours.sock,
        configuration.upstream,
        interceptor,
        RelayOptions(
            hold_limit_s=configuration.hold_limit_s, failure_policy=configuration.failure_policy
        ),
        latencies,
    )
    notifier = Notifier.of(os.environ, os.getpid())
    if notifier.watchdog_s is not None:
        relay.beat(notifier.watchdog_s, notifier.alive)
    behind = _Behind(
        configuration,
        ours,
        relay,
        interceptor,
        notifier=notifier,
        latencies=latencies,
        began_s=began_s,
    )
    try:
        _heed_signals(relay, behind, notifier, configuration.drain_timeout_s)
        behind.begin(predecessor)
        if predecessor is not None:
            behind.wait()  # who serves now goes on until we are whole
        relay.run()
        behind.wait()
        behind.end()
    finally:
        if behind.offered:
            ours.leave()
        else:
            ours.close()


def _listen(
    configuration: Configuration, *, take_over: bool
) -> tuple[ListeningSocket, Predecessor | None]:
    offered = ask_for_sockets(configuration.listen) if take_over else None
    if offered is None:
        return listener.listen(configuration.listen, configuration.upstream), None
    from nsledger.daemon.handover import Predecessor  # noqa: PLC0415 - not for a first start

    try:
        taken = listener.take_over(offered, configuration.listen, configuration.upstream)
    except BaseException:
        offered.decline()
        raise
    return taken, Predecessor(offered.connection, offered.pid)


class _Behind:
    """What stands behind the relay: imported, made and started on a thread of its own."""

    def __init__(
        self,
        configuration: Configuration,
        ours: ListeningSocket,
        relay: Relay,
        interceptor: BufferingInterceptor,
        *,
        notifier: Notifier,
        latencies: Latencies | None,
        began_s: float,
    ) -> None:
        self._configuration = configuration
        self._ours = ours
        self._relay = relay
        self._interceptor = interceptor
        self._notifier = notifier
        self._latencies = latencies
        self._began_s = began_s
        self._daemon: Daemon | None = None
        self._succession: Succession | None = None
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    @property
    def offered(self) -> bool:
        """Whether another process has the sockets too."""
        return self._succession is not None and self._succession.offered

    def begin(self, predecessor: Predecessor | None) -> None:
        """Begin to make it; the relay stops if that fails."""
        self._thread = threading.Thread(target=self._begin, args=(predecessor,), name="beginning")
        self._thread.start()

    def wait(self) -> None:
        """Until it is there.

        Raises:
            NsledgerError, OSError: why it cannot be.
        """
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Follow up what was answered, and sync."""
        if self._succession is not None:
            self._succession.close()
        if self._daemon is not None:
            self._daemon.stop(patience_s=self._configuration.drain_timeout_s)

    def _begin(self, predecessor: Predecessor | None) -> None:
        try:
            self._make(predecessor)
        except Exception as error:  # noqa: BLE001 - for the main thread, which raises it
            self._error = error
            self._relay.stop()

    def _make(self, predecessor: Predecessor | None) -> None:
        from nsledger.daemon import app, handover, logs  # noqa: PLC0415 - see above

        logs.configure(self._configuration.log_level, self._configuration.log_format)
        self._daemon = app.Daemon(self._configuration, predecessor, self._relay.counters)
        if self._latencies is not None:
            self._daemon.offer_metrics(
                self._configuration.metrics_listen, self._relay.counters, self._latencies
            )
        self._succession = handover.Succession(self._ours, self._hand_over)
        self._daemon.start()
        self._interceptor.arrive(self._daemon.interceptor)
        self._succession.start()
        self._daemon.log_start(round((time.monotonic() - self._began_s) * 1000))
        _collect_rarely()
        self._notifier.say(READY="1", STATUS=f"relaying {self._configuration.listen}")

    def _hand_over(self, successor: SuccessorConnection, pid: int) -> None:
        self._notifier.say(MAINPID=str(pid), STATUS="handed over")
        self._relay.hand_over(self._configuration.drain_timeout_s)
        if self._daemon is not None:
            self._daemon.hand_over(successor)


def _collect_rarely() -> None:
    """Spare calls most of the collector: what was made so far stays, and few cycles are to come.

    A collection stops every thread, the relay's too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _heed_signals(
    relay: Relay, behind: _Behind, notifier: Notifier, drain_timeout_s: float
) -> None:
    """The first SIGTERM or SIGINT drains, the second hangs up; SIGHUP begins a successor."""
    heard: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        if heard:
            relay.stop()
        elif behind.offered:
            relay.hand_over(drain_timeout_s)
        else:
            notifier.say(STOPPING="1", STATUS="ending calls")
            relay.drain(drain_timeout_s)
        heard.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    signal.signal(signal.SIGHUP, _renew)


def _renew(_number: int, _frame: FrameType | None) -> None:
    threading.Thread(target=_begin_successor, name="successor", daemon=True).start()


def _begin_successor() -> None:
    from nsledger.daemon.handover import begin_successor  # noqa: PLC0415 - see above

    begin_successor()
