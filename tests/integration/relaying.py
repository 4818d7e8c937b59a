"""A relay on a thread of its own, an interceptor that keeps what it is told, and clients."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import grpc

from nsledger.relay.dispatch import RelayOptions
from nsledger.relay.h2.calls import Call, HeldCall, Interceptor, Treatment
from nsledger.relay.server import Relay
from tests.integration.fake_runtime import UNLIMITED

_DEFAULTS = RelayOptions()


def release_unchanged(call: HeldCall, _message: bytes) -> None:
    call.release()


@dataclass
class RecordingInterceptor:
    """An interceptor that treats paths as it is told and keeps all it hears."""

    treatments: dict[str, Treatment] = field(default_factory=dict[str, Treatment])
    on_held: Callable[[HeldCall, bytes], None] = release_unchanged
    held: list[tuple[Call, bytes]] = field(default_factory=list[tuple[Call, bytes]])
    seen: list[tuple[Call, bytes]] = field(default_factory=list[tuple[Call, bytes]])
    answers: list[tuple[Call, bytes | None, int | None]] = field(
        default_factory=list[tuple[Call, bytes | None, int | None]]
    )
    overlooks: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])

    def treatment(self, path: str) -> Treatment | None:
        return self.treatments.get(path)

    def request_held(self, call: HeldCall, message: bytes) -> None:
        self.held.append((call, message))
        self.on_held(call, message)

    def request_seen(self, call: Call, message: bytes) -> None:
        self.seen.append((call, message))

    def answered(self, call: Call, message: bytes | None, grpc_status: int | None) -> None:
        self.answers.append((call, message, grpc_status))

    def overlooked(self, reason: str, path: str | None) -> None:
        self.overlooks.append((reason, path))


@dataclass(frozen=True, slots=True)
class Running:
    """A relay that runs, and where."""

    relay: Relay
    path: str
    thread: threading.Thread


@contextlib.contextmanager
def relaying(
    directory: str,
    upstream_path: str,
    interceptor: Interceptor | None = None,
    options: RelayOptions = _DEFAULTS,
) -> Iterator[Running]:
    """Run a relay at `directory`/relay.sock until the block ends."""
    path = os.path.join(directory, "relay.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(128)
        relay = Relay(listener, upstream_path, interceptor or RecordingInterceptor(), options)
        thread = threading.Thread(target=relay.run)
        thread.start()
        try:
            yield Running(relay, path, thread)
        finally:
            relay.stop()
            thread.join(10)
            os.unlink(path)
    assert not thread.is_alive()


@dataclass(frozen=True, slots=True)
class Client:
    """A channel whose messages are bytes."""

    channel: grpc.Channel

    def unary(self, path: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(path)
        return method

    def stream(self, path: str) -> grpc.UnaryStreamMultiCallable[bytes, bytes]:
        method: grpc.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(path)
        return method


@contextlib.contextmanager
def channel(path: str, **options: int | str) -> Iterator[Client]:
    """A client of a Unix socket, closed for real at the end of the block."""
    before = _open_sockets()
    arguments = (
        *UNLIMITED,
        ("grpc.default_authority", "localhost"),
        ("grpc.use_local_subchannel_pool", 1),
        *options.items(),
    )
    with grpc.insecure_channel(f"unix:{path}", options=arguments) as opened:
        yield Client(opened)
    # grpc closes its sockets on a thread of its own.
    wait_for(lambda: _open_sockets() <= before, limit_s=2, needed=False)


def _open_sockets() -> int:
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return count


def wait_for(condition: Callable[[], bool], *, limit_s: float = 20, needed: bool = True) -> None:
    """Until `condition` holds."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            assert not needed, "waited in vain"
            return
        time.sleep(0.002)
