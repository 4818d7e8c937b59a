from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.daemon.handover import Predecessor, Succession, SuccessorConnection
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import Event, Gap
from nsledger.model.record import encode_event
from nsledger.recorder.recorder import Recorder
from nsledger.relay.control import ask_for_sockets
from nsledger.relay.handover_protocol import HandoverConnection, Kept, LetGo
from nsledger.relay.listener import ListeningSocket, listen
from tests import recording

SOON_S = 30.0


@pytest.fixture
def room() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory:
        yield directory


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(
        lambda: LedgerWriter.open(str(tmp_path)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
    )
    recorder.start()
    yield recorder
    recorder.close(SOON_S)


def listening(room: str) -> ListeningSocket:
    return listen(f"{room}/cri.sock", f"{room}/runtime.sock")


def nobody(_successor: SuccessorConnection, _pid: int) -> None:
    pytest.fail("nobody serves yet")


def test_the_ledger_goes_from_one_recorder_to_the_next_and_so_do_late_records(
    room: str, tmp_path: Path, recorder: Recorder
) -> None:
    ours = listening(room)
    farewell = recording.event("farewell")
    succession = Succession(ours, lambda successor, _pid: recorder.hand_over(successor, farewell))
    succession.start()
    recorder.record(recording.event("before"), at=recording.now())
    offered = ask_for_sockets(ours.path)
    assert offered is not None
    predecessor = Predecessor(offered.connection, offered.pid)

    def open_ledger() -> LedgerWriter:
        predecessor.wait_for_ledger()
        return LedgerWriter.open(str(tmp_path))

    heir = Recorder(
        open_ledger,
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
    )
    heir.start()
    heir.record(recording.event("mine"), at=recording.now())

    learned: list[Event] = []
    predecessor.serve(heir, lambda event, _at: learned.append(event))

    while not recorder.appended == recorder.synced == 3:
        pass
    late = recorder.record(recording.event("late"), at=recording.now())
    assert late.wait(SOON_S)
    assert late.error is None
    assert recorder.close(SOON_S) == 0
    predecessor.wait_until_gone(SOON_S)
    assert heir.close(SOON_S) == 0
    assert recording.words(tmp_path) == [
        "ledger.created",
        "before",
        "farewell",
        "mine",
        "late",
    ]
    assert learned[-1] == recording.event("late")
    assert succession.offered
    ours.leave()
    offered.sock.close()
    offered.control.close()
    os.close(offered.lock_fd)


def test_an_event_that_this_version_does_not_know_is_a_gap(
    tmp_path: Path, recorder: Recorder
) -> None:
    ours, theirs = socket.socketpair()
    successor = SuccessorConnection(HandoverConnection(ours))
    predecessor = Predecessor(HandoverConnection(theirs), 1)
    predecessor.serve(recorder, lambda *_: None)
    ours.recv(100)  # that it serves
    successor.let_go()
    known = encode_event(recording.event("known"))

    told = [(b'{"event":"of.tomorrow"}', recording.now()), (known, recording.now())]
    assert successor.keep(told, sync=True) == ""

    successor.close()
    predecessor.wait_until_gone(SOON_S)
    assert recorder.close(SOON_S) == 0
    (gap,) = [r.event for r in recording.records(tmp_path) if isinstance(r.event, Gap)]
    assert gap.reason == "handover_unreadable"
    assert "known" in recording.words(tmp_path)


def test_a_predecessor_that_talks_nonsense_is_a_gap_and_no_more(
    tmp_path: Path, recorder: Recorder
) -> None:
    ours, theirs = socket.socketpair()
    connection = HandoverConnection(ours)
    predecessor = Predecessor(HandoverConnection(theirs), 1)
    predecessor.serve(recorder, lambda *_: None)

    connection.say(Kept())

    predecessor.wait_until_gone(SOON_S)
    predecessor.wait_for_ledger()
    connection.close()
    assert recorder.close(SOON_S) == 0
    assert "handover_cut_off" in recording.words(tmp_path)


def test_a_successor_that_never_serves_leaves_everything_as_it_was(room: str) -> None:
    ours = listening(room)
    succession = Succession(ours, nobody)
    succession.start()

    for _ in range(2):
        offered = ask_for_sockets(ours.path)
        assert offered is not None
        offered.decline()

    while succession.offered:
        pass
    succession.close()
    ours.close()
    assert not Path(ours.path).exists()


def test_a_peer_that_asks_for_something_else_is_not_answered(room: str) -> None:
    ours = listening(room)
    succession = Succession(ours, nobody)
    succession.start()

    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(f"{ours.path}.control")
        HandoverConnection(stranger).say(LetGo())
        assert stranger.recv(100) == b""

    succession.close()
    ours.close()


def test_who_ends_waits_until_the_ledger_is_handed_over(room: str) -> None:
    ours = listening(room)
    begun, ended = threading.Event(), threading.Event()

    def slowly(successor: SuccessorConnection, _pid: int) -> None:
        begun.set()
        time.sleep(0.5)
        successor.close()
        ended.set()

    succession = Succession(ours, slowly)
    succession.start()
    offered = ask_for_sockets(ours.path)
    assert offered is not None
    Predecessor(offered.connection, offered.pid).serve(
        Recorder(lambda: LedgerWriter.open(room), now=recording.now, new_ledger_id=lambda: ""),
        lambda *_: None,
    )
    assert begun.wait(SOON_S)

    succession.close()

    assert ended.is_set()
    ours.leave()
    offered.sock.close()
    offered.control.close()
    os.close(offered.lock_fd)
