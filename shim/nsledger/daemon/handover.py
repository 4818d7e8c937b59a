"""Handing `nsledger serve` over to the next process, and taking it over: who does what, and when.

Both run on a thread of their own that waits for the other process; the protocol is in
`nsledger.relay.handover_protocol`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from nsledger.errors import NsledgerError
from nsledger.model.events import Event
from nsledger.model.record import Moment, UnreadableRecordError, decode_event
from nsledger.recorder.group_commit import word_for
from nsledger.recorder.recorder import Recorder
from nsledger.recorder.ticket import Ticket
from nsledger.relay.handover_protocol import (
    Batch,
    HandoverConnection,
    HandoverError,
    Kept,
    LetGo,
    Offer,
    Serving,
    TakeOver,
    Told,
)
from nsledger.relay.listener import ListeningSocket

log = structlog.get_logger(__name__)

_FLAG: Final = "--take-over"
_QUESTION_S: Final = 5.0
_READY_S: Final = 10.0
"""From the offer to the first accept: a successor asks when it is ready."""
_KEEP_S: Final = 5.0
"""How long a batch may take into the successor's ledger, before it is told to be on its way."""
_ANSWER_S: Final = 10.0
_HAND_OVER_S: Final = 15.0
"""For a hand-over that is under way when this process is told to end."""
_JOIN_STEP_S: Final = 0.1
_LET_GO_S: Final = 5.0
"""How long a successor waits for the ledger before it goes on trying as after any failure."""


class SuccessorConnection:
    """The process that took over, as the recorder sees it: `recorder.forwarding.Successor`."""

    def __init__(self, connection: HandoverConnection) -> None:
        self._connection = connection

    def let_go(self) -> None:
        """Say that the ledger can be opened."""
        self._connection.say(LetGo())

    def keep(self, told: list[tuple[bytes, Moment]], *, sync: bool) -> str:
        """Have it record `told`; the reason why it has not yet, if so."""
        batch = tuple(Told(at=at, event=msgspec.Raw(event)) for event, at in told)
        self._connection.say(Batch(told=batch, sync=sync))
        return self._connection.hear(Kept, timeout_s=_ANSWER_S).error

    def close(self) -> None:
        """Nothing more will come."""
        self._connection.close()


class Succession:
    """Waits for a successor, and gives it the sockets; the first that serves is the last."""

    def __init__(
        self, listening: ListeningSocket, hand_over: Callable[[SuccessorConnection, int], None]
    ) -> None:
        """`hand_over` is called with the successor and its pid once it accepts."""
        self.offered = False
        """Whether another process has the sockets too: nothing may be done to them any more."""
        self._listening = listening
        self._hand_over = hand_over
        self._thread = threading.Thread(target=self._run, name="succession", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def close(self, timeout_s: float = _HAND_OVER_S) -> None:
        """Wait no more for a successor; a hand-over that is under way is ended first.

        Until then the ledger is not the successor's, and nobody may close what it is told by.
        """
        deadline_s = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline_s:
            if not self.offered:
                with contextlib.suppress(OSError):  # it is shut down once
                    self._listening.control.shutdown(socket.SHUT_RDWR)
            self._thread.join(_JOIN_STEP_S)

    def _run(self) -> None:
        while not self.offered:
            try:
                accepted, _address = self._listening.control.accept()
            except OSError:
                return
            connection = HandoverConnection(accepted)
            try:
                self._answer(connection)
            except (OSError, NsledgerError) as error:
                self.offered = False
                connection.close()
                log.warning("takeover.failed", error=str(error))

    def _answer(self, connection: HandoverConnection) -> None:
        if connection.peer_uid not in {0, os.geteuid()}:
            raise HandoverError(found=f"user {connection.peer_uid}", needed="needed our own")
        pid = connection.hear(TakeOver, timeout_s=_QUESTION_S).pid
        listening = self._listening
        self.offered = True
        connection.say(
            Offer(pid=os.getpid(), dev=listening.dev, ino=listening.ino),
            [listening.sock.fileno(), listening.lock_fd, listening.control.fileno()],
        )
        connection.hear(Serving, timeout_s=_READY_S)
        log.info("takeover.handed_over", successor_pid=pid)
        self._hand_over(SuccessorConnection(connection), pid)


class Predecessor:
    """The process whose sockets we have now: it still ends its calls, and tells what came of them.

    Raises nothing: whatever it does, the kubelet's calls are ours by now.
    """

    def __init__(self, connection: HandoverConnection, pid: int) -> None:
        self.pid = pid
        self._connection = connection
        self._let_go = threading.Event()
        self._gone = threading.Event()

    @property
    def gone(self) -> bool:
        """Whether it has told everything, or can tell nothing more."""
        return self._gone.is_set()

    def serve(self, recorder: Recorder, learn: Callable[[Event, Moment], None]) -> None:
        """Say that we accept, and record on a thread what the predecessor has still to tell.

        `learn` is called with each event too.
        """
        self._connection.say(Serving())
        threading.Thread(
            target=self._listen, args=(recorder, learn), name="predecessor", daemon=True
        ).start()

    def wait_for_ledger(self) -> None:
        """Wait until the ledger can be opened, or a moment too long to go on waiting."""
        self._let_go.wait(_LET_GO_S)

    def wait_until_gone(self, timeout_s: float) -> None:
        """Let it tell what it has to tell."""
        self._gone.wait(timeout_s)

    def _listen(self, recorder: Recorder, learn: Callable[[Event, Moment], None]) -> None:
        connection = self._connection
        try:
            connection.hear(LetGo, timeout_s=None)
            self._let_go.set()
            while True:
                batch = connection.hear(Batch, timeout_s=None)
                connection.say(Kept(error=_keep(recorder, batch, learn)))
        except ConnectionError:
            log.info("takeover.completed", predecessor_pid=self.pid)
        except (OSError, NsledgerError) as error:
            log.error("takeover.cut_off", error=str(error))  # noqa: TRY400 - not a place to debug
            recorder.gap("handover_cut_off")
        finally:
            self._let_go.set()
            self._gone.set()
            connection.close()


def _keep(recorder: Recorder, batch: Batch, learn: Callable[[Event, Moment], None]) -> str:
    tickets: list[Ticket] = []
    for told in batch.told:
        try:
            event = decode_event(bytes(told.event))
        except UnreadableRecordError:
            recorder.gap("handover_unreadable")
        else:
            tickets.append(recorder.record(event, at=told.at, sync=batch.sync))
            learn(event, told.at)
    deadline_s = time.monotonic() + _KEEP_S
    for ticket in tickets:
        if not ticket.wait(max(0.0, deadline_s - time.monotonic())):
            return "timeout"
        if ticket.error is not None:
            return word_for(ticket.error)
    return ""


def begin_successor() -> None:
    """Start this program anew, as it is on the disk now, to take over from this process."""
    command = list(sys.orig_argv)
    if _FLAG not in command:
        command.append(_FLAG)
    # The watchdog that was set for us will be for it.
    environment = {name: value for name, value in os.environ.items() if name != "WATCHDOG_PID"}
    successor = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
    log.info("takeover.successor_started", pid=successor.pid)
    code = successor.wait()
    # If it took over, this process is gone before it ends.
    log.error("takeover.successor_ended", pid=successor.pid, code=code)
