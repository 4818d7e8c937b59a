from __future__ import annotations

import threading

from nsledger.model.events import DaemonStopped, Source
from nsledger.model.record import Moment
from nsledger.recorder.ticket import RecordLostError, Ticket

EVENT = DaemonStopped(source=Source.DAEMON)
AT = Moment(time_ns=0, mono_ns=0, boot_id="boot")


def test_callbacks_run_once_each_in_their_order() -> None:
    ticket = Ticket(EVENT, AT)
    called: list[str] = []
    ticket.on_done(lambda: called.append("first"))
    ticket.on_done(lambda: called.append("second"))
    assert not called

    ticket.finish(None)
    ticket.finish(None)

    assert called == ["first", "second"]


def test_a_callback_that_comes_late_runs_at_once() -> None:
    ticket = Ticket(EVENT, AT)
    ticket.finish(None)
    called: list[str] = []

    ticket.on_done(lambda: called.append("late"))

    assert called == ["late"]


def test_the_first_outcome_is_the_outcome() -> None:
    ticket = Ticket(EVENT, AT)
    error = OSError()

    ticket.finish(error)
    ticket.finish(None)

    assert ticket.error is error


def test_a_mistake_in_a_callback_harms_nobody_else() -> None:
    ticket = Ticket(EVENT, AT)
    called: list[str] = []
    ticket.on_done(lambda: called.remove("nothing"))
    ticket.on_done(lambda: called.append("second"))

    ticket.finish(None)

    assert called == ["second"]


def test_waiting_ends_when_it_is_done_or_the_time_is_over() -> None:
    ticket = Ticket(EVENT, AT)
    assert not ticket.wait(0.01)
    timer = threading.Timer(0.01, ticket.finish, [None])
    timer.start()

    assert ticket.wait(5)

    timer.join()


def test_a_callback_runs_exactly_once_however_two_threads_meet() -> None:
    for _ in range(500):
        ticket = Ticket(EVENT, AT)
        called: list[int] = []
        finisher = threading.Thread(target=ticket.finish, args=[None])
        finisher.start()
        ticket.on_done(lambda called=called: called.append(1))  # type: ignore[misc]  # a default binds it
        finisher.join()

        assert called == [1]


def test_an_error_tells_which_event_was_lost_and_not_what_was_in_it() -> None:
    error = RecordLostError(reason="queue_full", event=EVENT)

    assert str(error) == "daemon.stopped is not recorded: queue_full"
