"""The relay between grpc-go peers, which is what a kubelet and containerd are."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nsledger.relay.h2.calls import Treatment
from tests.conftest import GO_PACKAGES
from tests.integration.cri_methods import RUNTIME_SERVICE
from tests.integration.relaying import RecordingInterceptor, channel, relaying, wait_for
from tests.serving import listens

SOURCES = Path(__file__).with_name("go_peer")
CACHE = Path(__file__).parents[2] / ".cache"
HELD = ("CreateContainer", "RunPodSandbox")


@pytest.fixture(scope="module")
def go_peer() -> Path:
    """The program, built with Debian's Go: nothing comes from the network."""
    program = CACHE / "go-peer/go_peer"
    told = {"GO111MODULE": "off", "GOPATH": str(GO_PACKAGES), "GOFLAGS": ""}
    subprocess.run(
        ["go", "build", "-o", program, "."],
        cwd=SOURCES,
        env=os.environ | told | {"GOCACHE": str(CACHE / "go")},
        check=True,
    )
    return program


@contextmanager
def runtime_of(go_peer: Path, path: str) -> Iterator[None]:
    with subprocess.Popen([go_peer, "serve", path]) as process:
        try:
            wait_for(lambda: listens(path))
            yield
        finally:
            process.kill()


def calls(go_peer: Path, path: str) -> list[object]:
    done = subprocess.run([go_peer, "call", path], capture_output=True, check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.go
def test_grpc_go_sees_the_same_through_the_relay_as_without(room: str, go_peer: Path) -> None:
    seen: list[list[object]] = []
    treatments = dict.fromkeys((RUNTIME_SERVICE + method for method in HELD), Treatment.HOLD)
    treatments[RUNTIME_SERVICE + "Version"] = Treatment.TAP
    interceptor = RecordingInterceptor(treatments)
    for turn in ("direct", "relayed"):
        runtime = f"{room}/{turn}.sock"
        with runtime_of(go_peer, runtime):
            if turn == "direct":
                seen.append(calls(go_peer, runtime))
                continue
            with relaying(room, runtime, interceptor) as running:
                seen.append(calls(go_peer, running.path))

    direct, relayed = seen
    assert len(direct) == 7 * 4 + 16 + 6
    assert relayed == direct
    held = {call.path for call, _ in interceptor.held}
    assert held == {RUNTIME_SERVICE + method for method in HELD}
    # What is compressed is not looked at, nor what is longer than a runtime takes.
    assert {reason for reason, _ in interceptor.overlooks} <= {"compressed", "oversized"} | {
        "answer_compressed",
        "answer_oversized",
    }


@pytest.mark.go
def test_a_go_runtime_answers_a_grpcio_client_through_the_relay(room: str, go_peer: Path) -> None:
    runtime = f"{room}/runtime.sock"
    with (
        runtime_of(go_peer, runtime),
        relaying(room, runtime) as running,
        channel(running.path) as opened,
    ):
        for size in (0, 1, 70_000, 3 << 20):
            request = bytes(size)
            assert opened.unary(RUNTIME_SERVICE + "Version")(request, timeout=30) == request
        events = opened.stream(RUNTIME_SERVICE + "GetContainerEvents")(b"e" * 1000, timeout=60)
        assert sum(1 for _ in events) == 1000
