from __future__ import annotations

import random
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nsledger.relay.h2.streams import (
    Answered,
    Limits,
    Overlooked,
    RequestHeld,
    RequestSeen,
    Unfollowed,
)
from tests.property.http2_world import (
    HELD,
    PASSED,
    STATUS,
    TAPPED,
    Call,
    World,
    answers_of,
    grpc_body,
)

WITHOUT_SHRINKING = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a smaller seed is not a simpler world
    suppress_health_check=[HealthCheck.too_slow],
)


def _calls(rng: random.Random, count: int, longest: int) -> list[Call]:
    calls: list[Call] = []
    for _ in range(count):
        message = rng.randbytes(rng.choice((0, 3, 200, longest // 7, longest)))
        body = grpc_body(message)
        if rng.random() < 0.1:
            body = b"\x01" + body[1:]
        elif rng.random() < 0.05:
            body += b"junk"
        answer = grpc_body(rng.randbytes(rng.choice((0, 40, longest))))
        calls.append(Call(rng.choice((HELD, HELD, TAPPED, PASSED)), body, answer))
    return calls


def _check(world: World) -> None:
    answers = answers_of(world)
    told = Counter(
        event.stream_id for event in world.events if isinstance(event, RequestHeld | RequestSeen)
    )
    assert not any(isinstance(event, Unfollowed) for event in world.events)
    for call in world.calls:
        assert call.over, f"stream {call.stream_id} ({call.path}) never ended"
        served = world.served[call.stream_id]
        if call.stream_id in world.refused:
            assert call.reset or call.cancelled
            assert served.reset
        elif not call.cancelled:
            assert call.status == STATUS
            assert call.received == call.answer
            changed = world.rewritten.get(call.stream_id)
            assert served.body == (call.body if changed is None else grpc_body(changed))
        if told[call.stream_id]:
            answer = answers[call.stream_id]
            if call.status is not None and not call.cancelled:
                assert (answer.grpc_status, answer.message) == (STATUS, call.answer[5:])
    assert told.keys() == answers.keys()
    assert world.counters.in_flight == 0
    assert sum(map(len, world.pipes.values())) == 0
    _check_windows(world)


def _check_windows(world: World) -> None:
    """What the client believes is what the runtime granted, and the deficit that is still open."""
    pacer = world.relay._requests.held_requests.pacer
    assert pacer.queued_bytes == 0
    assert pacer.window == world.runtime.inbound_flow_control_window
    assert world.client.outbound_flow_control_window == pacer.window + pacer.deficit


@settings(WITHOUT_SHRINKING, max_examples=50)
@given(
    seed=st.integers(0, 2**32),
    window=st.sampled_from((1, 300, 5_000, 65_535, 300_000)),
    table=st.sampled_from((0, 100, 4096, 20_000)),
    piece=st.sampled_from((1, 30, 3_000, 70_000)),
    lazy=st.sampled_from((0, 16_000)),
)
def test_every_call_ends_as_if_the_peers_were_alone(
    seed: int, window: int, table: int, piece: int, lazy: int
) -> None:
    rng = random.Random(seed)
    longest = 2_000 if piece < 1_000 or window < 1_000 else 150_000
    world = World(
        rng,
        _calls(rng, rng.randint(1, 12), longest),
        window=window,
        table=table,
        largest_piece=piece,
        lazy=lazy,
    )

    world.run()

    _check(world)


@settings(WITHOUT_SHRINKING, max_examples=25)
@given(seed=st.integers(0, 2**32), window=st.sampled_from((300, 65_535)))
def test_small_limits_let_requests_through_unheld_and_say_so(seed: int, window: int) -> None:
    rng = random.Random(seed)
    limits = Limits(held_message_bytes=10_000, held_bytes=15_000, copied_message_bytes=1_000)
    world = World(rng, _calls(rng, 10, 30_000), limits=limits, window=window)

    world.run()

    _check_windows(world)
    for call in world.calls:
        if call.cancelled or call.stream_id in world.refused:
            continue
        assert call.status == STATUS
        assert call.received == call.answer
        if len(call.body) > 10_005 and call.path == HELD:
            assert world.served[call.stream_id].body == call.body
    overlooked = {event.reason for event in world.events if isinstance(event, Overlooked)}
    assert overlooked <= {
        "oversized",
        "crowded",
        "compressed",
        "malformed",
        "answer_oversized",
    }


@settings(WITHOUT_SHRINKING, max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_under_fail_what_cannot_be_held_never_reaches_the_runtime_whole(seed: int) -> None:
    rng = random.Random(seed)
    limits = Limits(held_message_bytes=10_000, refuse_unwatchable=True)
    world = World(rng, _calls(rng, 10, 30_000), limits=limits)

    world.run()

    _check_windows(world)
    held = {event.stream_id for event in world.events if isinstance(event, RequestHeld)}
    for call in world.calls:
        assert call.over
        served = world.served[call.stream_id]
        if call.path == HELD and served.complete:
            assert call.stream_id in held
    assert all(
        isinstance(event.stream_id, int) for event in world.events if isinstance(event, Answered)
    )
