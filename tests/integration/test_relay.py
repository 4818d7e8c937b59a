"""The relay's life: a runtime that is not there, goes or comes back; draining; stopping."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest

from nsledger.relay.dispatch import RelayOptions
from nsledger.relay.h2.calls import HeldCall, Treatment
from nsledger.relay.server import Relay
from tests.integration.cri_methods import RUNTIME_SERVICE
from tests.integration.fake_runtime import FakeRuntime, Script
from tests.integration.relaying import RecordingInterceptor, channel, relaying, wait_for

VERSION = RUNTIME_SERVICE + "Version"
EVENTS = RUNTIME_SERVICE + "GetContainerEvents"
CREATE = RUNTIME_SERVICE + "CreateContainer"


def test_a_connection_waits_a_moment_for_a_runtime_that_is_just_coming(room: str) -> None:
    upstream = f"{room}/runtime.sock"
    with relaying(room, upstream) as running, channel(running.path) as opened:
        call = opened.unary(VERSION).future(b"v", timeout=30)
        time.sleep(0.2)
        assert not call.done()

        with FakeRuntime(upstream):
            came_s = time.monotonic()
            assert call.result(30) == b"v"
            took_s = time.monotonic() - came_s

    assert took_s < 1  # grpc would try anew after a second


def test_without_a_runtime_a_call_is_unavailable_and_nothing_is_left_open(room: str) -> None:
    options = RelayOptions(dial_limit_s=0.1)
    with relaying(room, f"{room}/missing.sock", options=options) as running:
        with channel(running.path) as opened:
            with pytest.raises(grpc.RpcError) as caught:
                opened.unary(VERSION)(b"v", timeout=30)

            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        wait_for(lambda: running.relay.counters.connections_open == 0)
        assert running.relay.counters.connections_failed >= 1


def test_a_client_that_gives_up_while_the_runtime_is_away_is_forgotten(room: str) -> None:
    with relaying(room, f"{room}/missing.sock") as running:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(running.path)
            wait_for(lambda: running.relay.counters.connections_open == 1)

        wait_for(lambda: running.relay.counters.connections_open == 0, limit_s=1.8)


def test_when_the_runtime_dies_its_calls_end_and_the_next_ones_find_the_new_one(room: str) -> None:
    upstream = f"{room}/runtime.sock"
    interceptor = RecordingInterceptor({CREATE: Treatment.HOLD})
    with relaying(room, upstream, interceptor) as running, channel(running.path) as opened:
        with FakeRuntime(upstream) as first:
            first.scripts[CREATE] = Script(delay_s=0.5)
            call = opened.unary(CREATE).future(b"c", timeout=30)
            wait_for(lambda: any(seen.requests for seen in first.seen))

        assert call.code() is grpc.StatusCode.UNAVAILABLE
        wait_for(lambda: bool(interceptor.answers))
        assert interceptor.answers[0][2] in {None, 14}  # as far as the runtime still said it
        with FakeRuntime(upstream):
            answer = opened.unary(VERSION)(b"v", wait_for_ready=True, timeout=30)
        assert answer == b"v"


def test_draining_lets_calls_finish_and_sends_new_ones_elsewhere(room: str) -> None:
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[EVENTS] = Script(answers=[b"e"] * 5, delay_s=0.1)
        stream = opened.stream(EVENTS)(b"")
        assert next(stream) == b"e"

        running.relay.drain(timeout_s=10)

        assert list(stream) == [b"e"] * 4
        assert stream.code() is grpc.StatusCode.OK
        running.thread.join(30)
        assert not running.thread.is_alive()
        assert running.relay.counters.connections_open == 0


def test_draining_ends_at_its_bound(room: str) -> None:
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[EVENTS] = Script(answers=[b"e"] * 50, delay_s=0.1)
        stream = opened.stream(EVENTS)(b"")
        assert next(stream) == b"e"
        started_s = time.monotonic()

        running.relay.drain(timeout_s=0.3)

        running.thread.join(30)
        assert 0.25 < time.monotonic() - started_s < 2
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_draining_an_idle_relay_is_immediate(room: str) -> None:
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path) as running,
        channel(running.path) as opened,
    ):
        opened.unary(VERSION)(b"v", timeout=30)
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(running.path)

            running.relay.drain(timeout_s=20)

            running.thread.join(10)
            assert not running.thread.is_alive()


def test_a_client_in_the_queue_is_served_when_draining_begins(room: str) -> None:
    with FakeRuntime(f"{room}/runtime.sock") as runtime, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{room}/relay.sock")
        listener.listen()
        relay = Relay(listener, runtime.path, RecordingInterceptor())
        relay.drain(timeout_s=5)
        with channel(f"{room}/relay.sock") as opened:
            call = opened.unary(VERSION).future(b"v", timeout=30)
            wait_for(lambda: bool(select.select([listener], [], [], 0)[0]))
            time.sleep(0.05)  # grpc has written its call by now

            relay.run()
            listener.close()

            # An idle client may be sent away before its call was read: then it would connect anew.
            assert call.code() in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
            assert relay.counters.connections == 1


def test_once_draining_has_begun_connecting_is_refused(room: str) -> None:
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path) as running,
        channel(running.path) as opened,
    ):
        runtime.scripts[EVENTS] = Script(answers=[b"e"] * 50, delay_s=0.1)
        stream = opened.stream(EVENTS)(b"")
        assert next(stream) == b"e"
        running.relay.drain(timeout_s=20)

        def refused() -> bool:
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(running.path) == errno.ECONNREFUSED

        wait_for(refused)
        assert next(stream) == b"e"
        stream.cancel()


def test_a_new_relay_takes_over_without_a_failed_call(room: str) -> None:
    failures: list[grpc.StatusCode] = []
    succeeded: list[int] = []
    with FakeRuntime(f"{room}/runtime.sock") as runtime:
        os.mkdir(f"{room}/1")
        with relaying(f"{room}/1", runtime.path) as old, channel(f"{room}/at") as opened:
            os.symlink("1/relay.sock", f"{room}/at")
            over = threading.Event()

            def call_on_and_on() -> None:
                call = opened.unary(VERSION)
                while not over.is_set():
                    try:
                        call(b"v", timeout=30)
                        succeeded.append(1)
                    except grpc.RpcError as error:
                        failures.append(error.code())

            callers = [threading.Thread(target=call_on_and_on) for _ in range(4)]
            for caller in callers:
                caller.start()
            wait_for(lambda: len(succeeded) > 100)
            os.mkdir(f"{room}/2")
            with relaying(f"{room}/2", runtime.path) as new:
                os.symlink("2/relay.sock", f"{room}/at.new")
                os.rename(f"{room}/at.new", f"{room}/at")
                old.relay.drain(timeout_s=5)
                old.thread.join(30)
                at_switch = len(succeeded)
                wait_for(lambda: len(succeeded) > at_switch + 100)
                over.set()
                for caller in callers:
                    caller.join()
                assert new.relay.counters.connections >= 1
    assert failures == []


def test_a_signal_handler_may_drain(room: str) -> None:
    code = """
import signal, socket, sys
from nsledger.relay.server import Relay
from tests.integration.relaying import RecordingInterceptor
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
relay = Relay(listener, sys.argv[2], RecordingInterceptor())
signal.signal(signal.SIGTERM, lambda *_: relay.drain(1))
print("ready", flush=True)
relay.run()
print("drained", flush=True)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, f"{room}/relay.sock", f"{room}/runtime.sock"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        process.send_signal(signal.SIGTERM)

        assert process.stdout.readline() == "drained\n"
        assert process.wait(30) == 0


def test_a_decision_after_the_end_is_nobodys_trouble(room: str) -> None:
    held: list[HeldCall] = []
    interceptor = RecordingInterceptor(
        {CREATE: Treatment.HOLD}, lambda call, _message: held.append(call)
    )
    with (
        FakeRuntime(f"{room}/runtime.sock") as runtime,
        relaying(room, runtime.path, interceptor, RelayOptions(hold_limit_s=30)) as running,
        channel(running.path) as opened,
    ):
        call = opened.unary(CREATE).future(b"c", timeout=30)
        wait_for(lambda: bool(held))
        running.relay.stop()
        running.thread.join(30)

        held[0].release()
        assert call.code() is grpc.StatusCode.UNAVAILABLE

    assert interceptor.answers[0][1:] == (None, None)
