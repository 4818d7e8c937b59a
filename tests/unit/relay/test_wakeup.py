from __future__ import annotations

import select
import threading

from nsledger.relay.wakeup import Wakeup


def _is_awake(wakeup: Wakeup) -> bool:
    return bool(select.select([wakeup.fd], [], [], 0)[0])


def test_it_wakes_until_it_is_cleared() -> None:
    wakeup = Wakeup()
    wakeup.wake()
    wakeup.wake()
    assert _is_awake(wakeup)

    wakeup.clear()
    wakeup.clear()

    assert not _is_awake(wakeup)
    wakeup.wake()
    assert _is_awake(wakeup)
    wakeup.close()


def test_only_another_thread_needs_to_be_woken() -> None:
    wakeup = Wakeup()
    wakeup.thread_id = threading.get_ident()
    wakeup.wake_from_elsewhere()
    assert not _is_awake(wakeup)

    other = threading.Thread(target=wakeup.wake_from_elsewhere)
    other.start()
    other.join()

    assert _is_awake(wakeup)
    wakeup.close()


def test_waking_what_is_closed_writes_to_nobody_elses_descriptor() -> None:
    wakeup = Wakeup()
    wakeup.close()

    wakeup.wake()
