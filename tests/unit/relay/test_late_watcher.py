from __future__ import annotations

from nsledger.relay.buffering import LateWatcher
from nsledger.relay.h2.calls import Treatment
from tests.integration.relaying import Watching


def test_it_treats_calls_as_the_watcher_to_come_and_keeps_what_it_is_told_in_order() -> None:
    late = LateWatcher({"/h": Treatment.HOLD}.get)
    watcher = Watching()

    assert late.treatment("/h") is Treatment.HOLD
    assert late.treatment("/other") is None
    late.overlooked("oversized", "/h")
    late.overlooked("not_http2", None)
    for tell in late.kept:
        tell(watcher)

    assert watcher.overlooks == [("oversized", "/h"), ("not_http2", None)]


def test_whoever_comes_first_the_relay_is_woken() -> None:
    wakes: list[str] = []
    early, late = LateWatcher(lambda _path: None), LateWatcher(lambda _path: None)

    early.arrive(Watching())
    early.on_arrival(lambda: wakes.append("early"))
    late.on_arrival(lambda: wakes.append("late"))
    late.arrive(Watching())

    assert wakes == ["early", "late"]
