"""Held requests: what an interceptor may do with them, and what becomes of them if it does not."""

from __future__ import annotations

import random
import threading
import time
from concurrent import futures

import grpc
import pytest

from nsledger.relay import connection
from nsledger.relay.buffering import BufferingInterceptor
from nsledger.relay.dispatch import FailurePolicy, RelayOptions
from nsledger.relay.h2.calls import HeldCall, Treatment
from tests.integration.cri_methods import RUNTIME_SERVICE
from tests.integration.fake_runtime import FakeRuntime, Script
from tests.integration.relaying import RecordingInterceptor, channel, relaying, wait_for

CREATE = RUNTIME_SERVICE + "CreateContainer"
LIST = RUNTIME_SERVICE + "ListContainers"
HELD = {CREATE: Treatment.HOLD}


class RandomSize:
    """As many bytes as a read takes, another number each time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __index__(self) -> int:
        return self._random.randint(1, 40_000)


@pytest.mark.parametrize("size", [4_000, 60_000, 200_000, 3_000_000])
def test_annotated_requests_of_any_size_pass_beside_large_lists(
    room: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_BYTES", RandomSize(size))
    monkeypatch.setattr(connection, "SMALL_READ_BYTES", 1)
    annotation = b"annotation" * 50
    interceptor = RecordingInterceptor(HELD, lambda call, _message: call.release(annotation))
    listed = random.Random(1).randbytes(1 << 20)
    rounds = 2 if size > 1_000_000 else 8
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor) as running,
        channel(running.path) as opened,
        futures.ThreadPoolExecutor(10) as callers,
    ):
        runtime.scripts[LIST] = Script(answers=[listed])
        requests = [random.Random(number).randbytes(size) for number in range(8)]

        def create(request: bytes) -> None:
            for _ in range(rounds):
                assert opened.unary(CREATE)(request, timeout=30) == request + annotation

        def list_all() -> None:
            for _ in range(rounds):
                assert opened.unary(LIST)(b"", timeout=30) == listed

        done = [callers.submit(create, request) for request in requests]
        done += [callers.submit(list_all) for _ in range(2)]
        for each in done:
            each.result(60)

    assert interceptor.overlooks == []
    assert len(interceptor.answers) == 8 * rounds


def test_a_held_request_waits_for_its_watcher_and_others_do_not(room: str) -> None:
    held: list[HeldCall] = []
    interceptor = RecordingInterceptor(HELD, lambda call, _message: held.append(call))
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor, RelayOptions(hold_limit_s=30)) as running,
        channel(running.path) as opened,
    ):
        waiting = opened.unary(CREATE).future(b"create", timeout=20)
        wait_for(lambda: bool(held))

        assert opened.unary(LIST)(b"list", timeout=30) == b"list"
        assert [seen.path for seen in runtime.seen if seen.requests] == [LIST]
        time.sleep(0.3)  # nothing else wakes the relay any more
        threading.Thread(target=held[0].release, args=(b" annotated",)).start()

        assert waiting.result(10) == b"create annotated"
        assert held[0].path == CREATE
        assert 0 <= time.monotonic_ns() - held[0].received_mono_ns < 10_000_000_000


@pytest.mark.parametrize("policy", ["ignore", "fail"])
def test_when_the_hold_limit_is_over_the_policy_decides(room: str, policy: FailurePolicy) -> None:
    held: list[HeldCall] = []
    interceptor = RecordingInterceptor(HELD, lambda call, _message: held.append(call))
    options = RelayOptions(hold_limit_s=0.05, failure_policy=policy)
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor, options) as running,
        channel(running.path, **{"grpc.enable_retries": 0}) as opened,
    ):
        started_s = time.monotonic()
        call = opened.unary(CREATE).future(b"create", timeout=20)

        code = call.code()

        assert time.monotonic() - started_s < 5  # of the 20 that it has
        assert code is (grpc.StatusCode.OK if policy == "ignore" else grpc.StatusCode.UNAVAILABLE)
        assert ("hold_limit", CREATE) in interceptor.overlooks
        for late in held:
            late.release(b"too late")
            late.refuse()
        assert opened.unary(LIST)(b"alive", timeout=30) == b"alive"
        wait_for(lambda: len(interceptor.answers) == len(held))
        if policy == "fail":
            assert not any(seen.requests for seen in runtime.seen if seen.path == CREATE)


def test_a_refused_call_is_unavailable_and_never_reaches_the_runtime(room: str) -> None:
    interceptor = RecordingInterceptor(HELD, lambda call, _message: call.refuse())
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor) as running,
        channel(running.path) as opened,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            opened.unary(CREATE)(b"create", timeout=30)

        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert opened.unary(LIST)(b"alive", timeout=30) == b"alive"
        assert not any(seen.requests for seen in runtime.seen if seen.path == CREATE)
        assert interceptor.answers[0][1:] == (None, None)


@pytest.mark.parametrize("policy", ["ignore", "fail"])
@pytest.mark.parametrize("method", ["request_held", "answered", "overlooked", "treatment"])
def test_a_watcher_that_raises_is_counted_and_hurts_no_call(
    room: str, method: str, policy: FailurePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the interceptor's own fault")

    interceptor = RecordingInterceptor(HELD)
    monkeypatch.setattr(interceptor, method, fail)
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor, RelayOptions(failure_policy=policy)) as running,
        channel(running.path) as opened,
    ):
        call = opened.unary(CREATE).future(b"create", timeout=30)
        refused = policy == "fail" and method == "request_held"

        assert call.code() is (grpc.StatusCode.UNAVAILABLE if refused else grpc.StatusCode.OK)
        assert opened.unary(LIST)(b"alive", timeout=30) == b"alive"
        if method != "overlooked":
            wait_for(lambda: running.relay.counters.overlooked.get("watcher_error", 0) > 0)


def test_a_compressed_request_passes_unannotated_and_is_said_to(room: str) -> None:
    interceptor = RecordingInterceptor(HELD, lambda call, _message: call.release(b"annotated"))
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor) as running,
        channel(running.path) as opened,
    ):
        request = b"create" * 1000
        answer = opened.unary(CREATE)(request, compression=grpc.Compression.Gzip, timeout=30)

        assert answer == request
        assert interceptor.overlooks == [("compressed", CREATE)]
        assert interceptor.held == []


def test_an_oversized_request_passes_unannotated_and_is_said_to(room: str) -> None:
    interceptor = RecordingInterceptor(HELD, lambda call, _message: call.release(b"annotated"))
    options = RelayOptions(held_message_bytes=100_000)
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor, options) as running,
        channel(running.path) as opened,
    ):
        request = b"create" * 100_000

        assert opened.unary(CREATE)(request, timeout=30) == request
        assert interceptor.overlooks == [("oversized", CREATE)]


def test_a_tapped_call_passes_at_once_and_both_messages_are_copied(room: str) -> None:
    start = RUNTIME_SERVICE + "StartContainer"
    interceptor = RecordingInterceptor({start: Treatment.TAP})
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[start] = Script(answers=[b"started"])

        opened.unary(start)(b"start", timeout=30)

        wait_for(lambda: bool(interceptor.answers))
        assert [message for _, message in interceptor.seen] == [b"start"]
        assert [(message, status) for _, message, status in interceptor.answers] == [
            (b"started", 0)
        ]
        assert interceptor.answers[0][0] is interceptor.seen[0][0]


def test_a_failed_call_is_told_with_its_status(room: str) -> None:
    interceptor = RecordingInterceptor(HELD)
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[CREATE] = Script((), code=grpc.StatusCode.ALREADY_EXISTS, details="no")

        with pytest.raises(grpc.RpcError):
            opened.unary(CREATE)(b"create", timeout=30)

        wait_for(lambda: bool(interceptor.answers))
        assert interceptor.answers[0][1:] == (None, 6)


def test_a_call_that_comes_before_its_watcher_waits_for_it_however_long_that_takes(
    room: str,
) -> None:
    late = BufferingInterceptor(HELD.get)
    interceptor = RecordingInterceptor(HELD, lambda call, _message: call.release(b" watched"))
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, late, RelayOptions(hold_limit_s=0.01)) as running,
        channel(running.path) as opened,
    ):
        waiting = opened.unary(CREATE).future(b"create", timeout=20)
        assert opened.unary(LIST)(b"list", timeout=20) == b"list"
        wait_for(lambda: bool(late.kept))
        time.sleep(0.05)
        assert not waiting.done()

        late.arrive(interceptor)

        assert waiting.result(20) == b"create watched"
        assert opened.unary(CREATE)(b"next", timeout=20) == b"next watched"

    assert interceptor.overlooks == []
    assert [message for _, message in interceptor.held] == [b"create", b"next"]
    assert [status for _, _, status in interceptor.answers] == [0, 0]
