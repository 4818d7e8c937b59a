"""The client and the runtime see through the relay what they see without it."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from dataclasses import dataclass

import grpc
import pytest

from nsledger.relay.h2.calls import Treatment
from tests.integration import cri_methods
from tests.integration.fake_runtime import FakeRuntime, Metadata, Script, Seen, held_back
from tests.integration.relaying import Client, RecordingInterceptor, channel, relaying, wait_for
from tests.patience import usual

CODES = list(grpc.StatusCode)
DETAILS = [
    "",
    "plain",
    "percent % and %41",
    "line\nbreak\ttab",
    "Fehler: größer → 100 %",
    "x" * 3000,
]


@dataclass(frozen=True, slots=True)
class Heard:
    """One call, as its client saw it end."""

    initial_metadata: list[tuple[str, str | bytes]]
    answers: list[bytes]
    code: grpc.StatusCode
    details: str
    trailing_metadata: list[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Case:
    """What a client asks."""

    path: str
    request: bytes
    metadata: Metadata
    timeout_s: float | None
    compression: grpc.Compression | None


def _ask(opened: Client, case: Case) -> Heard:
    call = opened.stream(case.path)(
        case.request,
        timeout=case.timeout_s,
        metadata=tuple(case.metadata),
        compression=case.compression,
    )
    answers: list[bytes] = []
    with contextlib.suppress(grpc.RpcError):
        answers.extend(call)
    return Heard(
        initial_metadata=[(key, value) for key, value in call.initial_metadata()],
        answers=answers,
        code=call.code(),
        details=call.details(),
        trailing_metadata=[(key, value) for key, value in call.trailing_metadata()],
    )


def _metadata(rng: random.Random, mark: str) -> Metadata:
    return [
        (f"x-{mark}", "".join(chr(rng.randint(0x20, 0x7E)) for _ in range(20)).strip()),
        (f"x-{mark}-bin", rng.randbytes(rng.randint(0, 200))),
        (f"x-{mark}-same", "again and again"),
        (f"x-{mark}-same", "twice"),
    ]


def _script(rng: random.Random, *, streams: bool) -> Script:
    code = rng.choice(CODES)
    count = rng.randint(0, 20) if streams else int(code is grpc.StatusCode.OK)
    return Script(
        answers=[rng.randbytes(rng.choice((0, 1, 200, 70_000))) for _ in range(count)],
        code=code,
        details=rng.choice(DETAILS),
        initial_metadata=_metadata(rng, "initial") if rng.random() < 0.7 else (),
        trailing_metadata=[
            *_metadata(rng, "trailing"),
            ("grpc-status-details-bin", rng.randbytes(50)),
        ],
        compression=rng.choice((None, None, grpc.Compression.Gzip)),
    )


def _case(rng: random.Random, path: str) -> Case:
    return Case(
        path=path,
        request=rng.randbytes(rng.choice((0, 1, 200, 4_000, 150_000))),
        metadata=_metadata(rng, "client"),
        timeout_s=rng.choice((None, 30.0, 120.0, 7200.0)),
        compression=rng.choice((None, None, grpc.Compression.Gzip)),
    )


def _same(direct: Seen, relayed: Seen) -> None:
    assert relayed.path == direct.path
    assert relayed.metadata == direct.metadata
    assert relayed.requests == direct.requests
    if direct.time_remaining_s is None or relayed.time_remaining_s is None:
        assert relayed.time_remaining_s == direct.time_remaining_s
    else:
        # grpc's own client rounds what it sends: 7200 s may become 7210 s.
        allowed_s = max(2, direct.time_remaining_s / 200)
        assert abs(relayed.time_remaining_s - direct.time_remaining_s) < allowed_s


def _compare(
    room: str, scripts: dict[str, Script], cases: list[Case], interceptor: RecordingInterceptor
) -> None:
    with FakeRuntime(f"{room}/runtime.sock") as runtime:
        runtime.scripts.update(scripts)
        with channel(runtime.path) as direct:
            directly = [_ask(direct, case) for case in cases]
        seen_directly = runtime.seen[:]
        runtime.seen.clear()
        with relaying(room, runtime.path, interceptor) as running, channel(running.path) as through:
            relayed = [_ask(through, case) for case in cases]

            assert running.relay.counters.connections == 1
            wait_for(lambda: running.relay.counters.in_flight == 0)
        assert relayed == directly
        assert len(runtime.seen) == len(seen_directly)
        for one, other in zip(seen_directly, runtime.seen, strict=True):
            _same(one, other)


@pytest.mark.parametrize("seed", range(3))
def test_all_43_methods_are_seen_and_heard_as_without_a_relay(room: str, seed: int) -> None:
    rng = random.Random(seed)
    assert len(cri_methods.ALL) == 43
    streams = set(cri_methods.STREAMS)
    scripts = {path: _script(rng, streams=path in streams) for path in cri_methods.ALL}
    cases = [_case(rng, path) for path in cri_methods.ALL]
    interceptor = RecordingInterceptor(
        {
            cri_methods.RUNTIME_SERVICE + "RunPodSandbox": Treatment.HOLD,
            cri_methods.RUNTIME_SERVICE + "CreateContainer": Treatment.HOLD,
            cri_methods.RUNTIME_SERVICE + "StartContainer": Treatment.TAP,
            cri_methods.RUNTIME_SERVICE + "GetContainerEvents": Treatment.TAP,
        }
    )

    _compare(room, scripts, cases, interceptor)

    watched = {call.path for call, *_ in [*interceptor.held, *interceptor.seen]}
    overlooked = {
        path for reason, path in interceptor.overlooks if not reason.startswith("answer_")
    }
    assert watched | overlooked == set(interceptor.treatments)


def test_every_status_code_arrives_with_its_details_and_trailers(room: str) -> None:
    rng = random.Random(5)
    scripts = {
        f"/codes.v1.Service/{code.name}": Script(
            answers=(),
            code=code,
            details=rng.choice(DETAILS),
            trailing_metadata=[("grpc-status-details-bin", rng.randbytes(80))],
        )
        for code in CODES
    }
    held = RecordingInterceptor(dict.fromkeys(scripts, Treatment.HOLD))

    _compare(room, scripts, [_case(rng, path) for path in scripts], held)

    told = [status for _, _, status in held.answers]
    compressed = [reason for reason, _ in held.overlooks if reason == "compressed"]
    assert len(told) + len(compressed) == len(CODES)


def test_unknown_services_and_methods_are_the_runtimes_to_refuse(room: str) -> None:
    rng = random.Random(1)
    paths = ["/nobody.v1.Knows/This", cri_methods.RUNTIME_SERVICE + "Tomorrow"]
    scripts = {path: Script(unimplemented=True) for path in paths}

    _compare(room, scripts, [_case(rng, path) for path in paths], RecordingInterceptor())


def test_messages_of_16_mib_and_more_pass_both_ways(room: str) -> None:
    size = 17 << 20
    path = cri_methods.RUNTIME_SERVICE + "ListContainers"
    script = Script(answers=[random.Random(1).randbytes(size)])
    case = Case(path, random.Random(2).randbytes(size), (), 60, None)

    _compare(room, {path: script}, [case], RecordingInterceptor())


@pytest.mark.parametrize("treatment", [None, *Treatment])
def test_a_cancelled_call_is_cancelled_at_the_runtime(
    room: str, treatment: Treatment | None
) -> None:
    path = cri_methods.RUNTIME_SERVICE + "GetContainerEvents"
    interceptor = RecordingInterceptor({path: treatment} if treatment else {})
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[path] = Script(answers=[b"event"] * 400, delay_s=0.05)
        call = opened.stream(path)(b"")
        assert next(call) == b"event"

        call.cancel()

        assert runtime.seen[0].cancelled.wait(10)
        wait_for(lambda: running.relay.counters.in_flight == 0)
        if treatment:
            wait_for(lambda: bool(interceptor.answers))
            assert interceptor.answers[0][1:] == (None, None)


def test_a_deadline_runs_out_at_both_ends(room: str) -> None:
    path = cri_methods.RUNTIME_SERVICE + "ExecSync"
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[path], let_go = held_back([b"late"])

        with pytest.raises(grpc.RpcError) as caught:
            opened.unary(path)(b"", timeout=0.5)

        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        wait_for(lambda: bool(runtime.seen))
        assert runtime.seen[0].cancelled.wait(10)
        let_go.set()


def versions_take_s(opened: Client) -> list[float]:
    took_s: list[float] = []
    for _ in range(20):
        began_s = time.monotonic()
        assert opened.unary(cri_methods.RUNTIME_SERVICE + "Version")(b"v", timeout=30) == b"v"
        took_s.append(time.monotonic() - began_s)
    return took_s


def test_long_calls_by_the_hundred_do_not_delay_a_short_one(room: str) -> None:
    service = cri_methods.RUNTIME_SERVICE
    each = 125
    with (
        FakeRuntime(f"{room}/runtime.sock", workers=550) as runtime,
        relaying(room, runtime.path) as running,
        channel(running.path) as opened,
    ):
        released = threading.Event()

        def wait(request: bytes) -> list[bytes]:
            released.wait(60)
            return [request]

        slow = [
            service + "ExecSync",
            cri_methods.IMAGE_SERVICE + "PullImage",
            service + "RunPodSandbox",
        ]
        for path in (*slow, service + "GetContainerEvents"):
            runtime.scripts[path] = Script(answer=wait)
        alone_s = versions_take_s(opened)
        long_calls = [opened.unary(path).future(b"x") for path in slow for _ in range(each)]
        streams = [opened.stream(service + "GetContainerEvents")(b"x") for _ in range(each)]
        wait_for(lambda: running.relay.counters.in_flight == 4 * each, limit_s=30)

        took_s = versions_take_s(opened)

        released.set()
        # The client and the runtime, with their 500 threads, are of the same interpreter.
        assert usual(took_s) < 0.1 + 5 * usual(alone_s)
        assert max(took_s) < 5
        assert [call.result(60) for call in long_calls] == [b"x"] * (3 * each)
        assert [list(stream) for stream in streams] == [[b"x"]] * each
