from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
from google.protobuf.message import Message

from nsledger.cri.client import RuntimeCallError, RuntimeClient, RuntimeVersion
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import UndecodableError
from tests.patience import soonest

Handler = Callable[[bytes, grpc.ServicerContext], bytes]


class FakeRuntime(grpc.GenericRpcHandler):
    """Answers the methods it was given, on a real socket."""

    def __init__(self, path: Path, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        self.authorities: list[str] = []
        self._server = grpc.server(
            ThreadPoolExecutor(2),
            options=[("grpc.max_send_message_length", -1)],
        )
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"unix:{path}")
        self._server.start()

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        name = handler_call_details.method.removeprefix("/runtime.v1.RuntimeService/")
        return grpc.unary_unary_rpc_method_handler(self._handlers[name])

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path: a socket's may have 107 characters."""
    made = Path(tempfile.mkdtemp(prefix="nsl-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@contextlib.contextmanager
def runtime(path: Path, **handlers: Handler) -> Iterator[RuntimeClient]:
    server = FakeRuntime(path, handlers)
    try:
        with RuntimeClient(str(path), timeout_s=5) as client:
            yield client
    finally:
        server.stop()


def answering(message: Message | bytes) -> Handler:
    answer = message if isinstance(message, bytes) else message.SerializeToString()

    def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
        return answer

    return handle


def test_the_runtime_says_who_it_is(directory: Path) -> None:
    answer = pb.VersionResponse(
        runtime_name="containerd", runtime_version="2.1.9", runtime_api_version="v1"
    )

    with runtime(directory / "s", Version=answering(answer)) as client:
        version = client.version()

    assert version == RuntimeVersion(name="containerd", version="2.1.9", api_version="v1")


def test_statuses_are_asked_for_verbosely(directory: Path) -> None:
    asked: list[pb.PodSandboxStatusRequest | pb.ContainerStatusRequest] = []

    def pod_sandbox_status(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(pb.PodSandboxStatusRequest.FromString(request))
        status = pb.PodSandboxStatus(id="s1")
        answer = pb.PodSandboxStatusResponse(status=status, info={"info": '{"pid":7}'})
        return answer.SerializeToString()

    def container_status(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(pb.ContainerStatusRequest.FromString(request))
        status = pb.ContainerStatus(id="c1")
        answer = pb.ContainerStatusResponse(status=status, info={"info": '{"pid":8}'})
        return answer.SerializeToString()

    with runtime(
        directory / "s", PodSandboxStatus=pod_sandbox_status, ContainerStatus=container_status
    ) as client:
        sandbox = client.pod_sandbox_status("s1")
        container = client.container_status("c1")

    assert asked == [
        pb.PodSandboxStatusRequest(pod_sandbox_id="s1", verbose=True),
        pb.ContainerStatusRequest(container_id="c1", verbose=True),
    ]
    assert (sandbox.process.pid, container.process.pid) == (7, 8)


def test_a_list_longer_than_grpcs_default_limit_is_read(directory: Path) -> None:
    sandboxes = pb.ListPodSandboxResponse(
        items=[pb.PodSandbox(id=f"{number:064}") for number in range(80_000)]
    )
    containers = pb.ListContainersResponse(containers=[pb.Container(id="c1", pod_sandbox_id="s1")])
    assert sandboxes.ByteSize() > 4 * 1024 * 1024

    with runtime(
        directory / "s",
        ListPodSandbox=answering(sandboxes),
        ListContainers=answering(containers),
    ) as client:
        assert len(client.list_pod_sandboxes()) == 80_000
        assert client.list_containers()[0].pod_sandbox_id == "s1"


def test_an_error_carries_its_code_and_none_of_its_text(directory: Path) -> None:
    def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: planted-secret")

    with (
        runtime(directory / "s", ContainerStatus=refuse) as client,
        pytest.raises(RuntimeCallError) as caught,
    ):
        client.container_status("c1")

    assert (caught.value.method, caught.value.code) == ("ContainerStatus", "NOT_FOUND")
    assert "planted-secret" not in "".join(traceback.format_exception(caught.value))


def test_no_call_waits_longer_than_its_deadline(directory: Path) -> None:
    release = threading.Event()

    def never(request: bytes, context: grpc.ServicerContext) -> bytes:
        release.wait(10)
        return b""

    server = FakeRuntime(directory / "s", {"Version": never})
    begun = time.monotonic()
    with (
        RuntimeClient(str(directory / "s"), timeout_s=0.2) as client,
        pytest.raises(RuntimeCallError) as caught,
    ):
        client.version()
    took_s = time.monotonic() - begun
    release.set()
    server.stop()

    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert took_s < 8


def test_a_runtime_that_is_not_there_is_unavailable(directory: Path) -> None:
    with (
        RuntimeClient(str(directory / "none"), timeout_s=5) as client,
        pytest.raises(RuntimeCallError) as caught,
    ):
        client.version()

    assert caught.value.code == "UNAVAILABLE"


def test_an_answer_of_no_known_shape_is_undecodable(directory: Path) -> None:
    with (
        runtime(directory / "s", Version=answering(b"\x0a\x7f")) as client,
        pytest.raises(UndecodableError),
    ):
        client.version()


def test_a_restarted_runtime_is_found_again_at_once(directory: Path) -> None:
    path = directory / "s"
    handlers = {"Version": answering(pb.VersionResponse(runtime_name="again"))}
    server = FakeRuntime(path, handlers)
    with RuntimeClient(str(path), timeout_s=5) as client:
        client.version()

        def restart() -> float:
            nonlocal server
            server.stop()
            down_until = time.monotonic() + 1.5
            while time.monotonic() < down_until:
                with pytest.raises(RuntimeCallError):
                    client.version()
                time.sleep(0.05)
            server = FakeRuntime(path, handlers)
            begun = time.monotonic()
            while True:
                with contextlib.suppress(RuntimeCallError):
                    assert client.version().name == "again"
                    return time.monotonic() - begun
                time.sleep(0.005)

        # grpc's own backoff would be at a second or more by now.
        assert soonest(restart, enough=0.8) < 0.8
    server.stop()


def greet_late(path: Path, delay_s: float, seen: list[tuple[bytes, bytes]]) -> threading.Thread:
    """Serve one connection whose HTTP/2 greeting comes after `delay_s`; note its headers."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                time.sleep(delay_s)
                answer_empty(connection, seen)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def answer_empty(connection: socket.socket, seen: list[tuple[bytes, bytes]]) -> None:
    core = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding=None)
    )
    core.initiate_connection()
    connection.sendall(core.data_to_send())
    while received := connection.recv(65536):
        for event in core.receive_data(received):
            if isinstance(event, h2.events.RequestReceived):
                seen.extend((bytes(name), bytes(value)) for name, value in event.headers)
            if isinstance(event, h2.events.StreamEnded):
                stream = event.stream_id
                core.send_headers(
                    stream, [(":status", "200"), ("content-type", "application/grpc")]
                )
                core.send_data(stream, bytes(5))
                core.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        connection.sendall(core.data_to_send())


def test_a_runtime_too_busy_to_greet_at_once_is_still_reached(directory: Path) -> None:
    thread = greet_late(directory / "s", 0.6, [])
    with RuntimeClient(str(directory / "s"), timeout_s=5) as client:
        assert client.version() == RuntimeVersion(name="", version="", api_version="")
    thread.join()


def test_the_authority_is_the_one_that_every_cri_client_sends(directory: Path) -> None:
    seen: list[tuple[bytes, bytes]] = []
    thread = greet_late(directory / "s", 0, seen)
    with RuntimeClient(str(directory / "s"), timeout_s=5) as client:
        client.version()
    thread.join()

    assert (b":authority", b"localhost") in seen
    assert (b":path", b"/runtime.v1.RuntimeService/Version") in seen


def test_a_socket_path_may_hold_any_character(directory: Path) -> None:
    answer = pb.VersionResponse(runtime_name="here")
    strange = directory / "a b%2f?#ü"
    server = FakeRuntime(directory / "s", {"Version": answering(answer)})
    (directory / "s").rename(strange)
    with RuntimeClient(str(strange), timeout_s=5) as client:
        assert client.version().name == "here"
    server.stop()


def open_sockets() -> int:
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return sum(os.path.exists(link) and os.readlink(link).startswith("socket:") for link in links)


def test_a_closed_client_leaves_no_connection_and_no_thread(directory: Path) -> None:
    def use_and_close() -> None:
        with RuntimeClient(str(directory / "s"), timeout_s=5) as client:
            client.version()

    server = FakeRuntime(directory / "s", {"Version": answering(pb.VersionResponse())})
    use_and_close()  # grpc's own threads start once, and stay
    time.sleep(0.5)
    sockets, threads = open_sockets(), len(os.listdir("/proc/self/task"))
    for _ in range(20):
        use_and_close()
    deadline = time.monotonic() + 30
    while open_sockets() > sockets and time.monotonic() < deadline:
        time.sleep(0.02)

    assert open_sockets() <= sockets
    assert len(os.listdir("/proc/self/task")) <= threads + 2
    server.stop()


def test_grpc_is_imported_by_who_makes_a_client_only() -> None:
    script = "import sys, nsledger.cri.client; sys.exit('grpc' in sys.modules)"

    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
