from __future__ import annotations

import threading
from functools import partial

from nsledger.recorder.syncer import Syncer, at_once


def test_what_is_put_is_run_in_order_on_another_thread() -> None:
    ran: list[tuple[int, bool]] = []

    def note(number: int) -> None:
        ran.append((number, threading.current_thread() is threading.main_thread()))

    over = threading.Event()
    syncer = Syncer()
    syncer.start()

    for number in range(3):
        syncer.put(partial(note, number))
    syncer.put(over.set)
    syncer.close()

    assert over.wait(30)
    assert ran == [(0, False), (1, False), (2, False)]


def test_without_a_thread_it_is_run_at_once() -> None:
    ran: list[int] = []

    at_once(lambda: ran.append(1))

    assert ran == [1]
