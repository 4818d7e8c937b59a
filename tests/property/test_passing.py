"""However a connection's bytes are cut, the same bytes and events come out."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.frames import PREFACE
from nsledger.relay.h2.streams import Event, RequestHeld
from tests.property.http2_world import HELD, PASSED, TAPPED, Call, World, grpc_body

Log = list[tuple[str, bytes]]


def _recorded(seed: int, paths: list[str]) -> Log:
    """What two peers said to each other through a relay that watches nothing, in its order."""
    rng = random.Random(seed)
    calls = [
        Call(path, grpc_body(rng.randbytes(rng.choice((0, 5, 300)))), grpc_body(rng.randbytes(40)))
        for path in paths
    ]
    world = World(rng, calls)
    log: Log = []
    world.relay = RelayedConnection(lambda _path: None, Counters())
    to_runtime, to_client = world.relay.receive_from_client, world.relay.receive_from_runtime

    def from_client(data: bytes) -> None:
        log.append(("client", data))
        to_runtime(data)

    def from_runtime(data: bytes) -> None:
        log.append(("runtime", data))
        to_client(data)

    world.relay.receive_from_client = from_client  # type: ignore[method-assign]  # a tap
    world.relay.receive_from_runtime = from_runtime  # type: ignore[method-assign]  # a tap
    world.run()
    return log


def _play(log: Log, treatments: dict[str, Treatment]) -> tuple[bytes, bytes, list[Event]]:
    """Each piece of `log` in turn; held requests are released at the end, in their order."""
    relay = RelayedConnection(treatments.get, Counters())
    for side, data in log:
        if side == "client":
            relay.receive_from_client(data)
        else:
            relay.receive_from_runtime(data)
    events = relay.events[:]
    for event in events:
        if isinstance(event, RequestHeld):
            relay.release(event.stream_id, b"more")
    return b"".join(relay.for_runtime), b"".join(relay.for_client), events


def _with_preface(log: Log) -> Log:
    """`log` from its beginning: the world that was tapped had shaken hands already."""
    return [("client", PREFACE), *log]


def _cut(log: Log, rng: random.Random, longest: int) -> Log:
    cut: Log = []
    for side, data in log:
        at = 0
        while at < len(data):
            size = rng.randint(1, longest)
            cut.append((side, data[at : at + size]))
            at += size
    return cut


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    paths=st.lists(st.sampled_from([HELD, TAPPED, PASSED]), min_size=1, max_size=5),
    longest=st.sampled_from((1, 2, 10, 1000)),
)
def test_what_is_not_watched_passes_as_the_bytes_it_was(
    seed: int, paths: list[str], longest: int
) -> None:
    log = _with_preface(_recorded(seed, paths))

    for_runtime, for_client, events = _play(_cut(log, random.Random(seed), longest), {})

    assert for_runtime == b"".join(data for side, data in log if side == "client")
    assert for_client == b"".join(data for side, data in log if side == "runtime")
    assert events == []


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    paths=st.lists(st.sampled_from([HELD, TAPPED, PASSED]), min_size=1, max_size=4),
    longest=st.sampled_from((1, 2, 10, 1000)),
)
def test_a_watched_connection_comes_out_the_same_however_it_is_cut(
    seed: int, paths: list[str], longest: int
) -> None:
    # One side's bytes, then the other's: a held request then waits for all of the answers, which
    # no runtime would give, and the order of the two directions cannot depend on the cuts.
    log = _with_preface(_recorded(seed, paths))
    requests = [piece for piece in log if piece[0] == "client"]
    treatments = {HELD: Treatment.HOLD, TAPPED: Treatment.TAP}

    whole = _play([("client", b"".join(data for _, data in requests))], treatments)
    cut = _play(_cut(requests, random.Random(seed), longest), treatments)

    assert cut == whole


def test_every_single_cut_gives_the_same() -> None:
    recordings = (_recorded(seed, [HELD, TAPPED, HELD]) for seed in range(100))
    sent = (b"".join(data for side, data in log if side == "client") for log in recordings)
    data = PREFACE + next(data for data in sent if 800 < len(data) < 2000)
    treatments = {HELD: Treatment.HOLD, TAPPED: Treatment.TAP}
    whole = _play([("client", data)], treatments)

    assert any(isinstance(event, RequestHeld) for event in whole[2])
    for at in range(1, len(data)):
        assert _play([("client", data[:at]), ("client", data[at:])], treatments) == whole


@settings(deadline=None)
@given(
    pieces=st.lists(st.tuples(st.sampled_from(["client", "runtime"]), st.binary(max_size=200))),
    http2=st.booleans(),
)
def test_any_bytes_pass_and_nothing_breaks(pieces: list[tuple[str, bytes]], http2: bool) -> None:
    log = _with_preface(pieces) if http2 else pieces

    for_runtime, _, _ = _play(log, {})

    sent = b"".join(data for side, data in log if side == "client")
    assert sent.startswith(for_runtime)
    if not http2 and len(sent) >= 24:
        assert for_runtime == sent


_FRAMES = st.builds(
    lambda kind, flags, stream_id, payload: (
        len(payload).to_bytes(3, "big")
        + bytes((kind, flags))
        + stream_id.to_bytes(4, "big")
        + payload
    ),
    st.one_of(st.integers(0, 10), st.integers(0, 255)),
    st.integers(0, 255),
    st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)),
    st.one_of(st.binary(max_size=40), st.just(b"\x83\x86\x44\x02/x")),
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(["client", "runtime"]), _FRAMES), max_size=30),
    st.booleans(),
)
def test_any_frames_in_any_order_pass_and_nothing_breaks(log: Log, hold: bool) -> None:
    treatments = {"/x": Treatment.HOLD} if hold else {}

    for_runtime, for_client, _ = _play(_with_preface(log), treatments)

    if not hold:
        sent = b"".join(data for side, data in log if side == "client")
        assert for_runtime == PREFACE + sent
        assert for_client == b"".join(data for side, data in log if side == "runtime")
