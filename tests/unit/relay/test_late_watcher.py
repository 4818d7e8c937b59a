from __future__ import annotations

from nsledger.relay.buffering import BufferingInterceptor
from nsledger.relay.h2.calls import Treatment
from tests.integration.relaying import RecordingInterceptor


def test_it_treats_calls_as_the_watcher_to_come_and_keeps_what_it_is_told_in_order() -> None:
    late = BufferingInterceptor({"/h": Treatment.HOLD}.get)
    interceptor = RecordingInterceptor()

    assert late.treatment("/h") is Treatment.HOLD
    assert late.treatment("/other") is None
    late.overlooked("oversized", "/h")
    late.overlooked("not_http2", None)
    for tell in late.kept:
        tell(interceptor)

    assert interceptor.overlooks == [("oversized", "/h"), ("not_http2", None)]


def test_whoever_comes_first_the_relay_is_woken() -> None:
    wakes: list[str] = []
    early, late = BufferingInterceptor(lambda _path: None), BufferingInterceptor(lambda _path: None)

    early.arrive(RecordingInterceptor())
    early.on_arrival(lambda: wakes.append("early"))
    late.on_arrival(lambda: wakes.append("late"))
    late.arrive(RecordingInterceptor())

    assert wakes == ["early", "late"]
