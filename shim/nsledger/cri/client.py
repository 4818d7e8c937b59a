"""The shim's own calls to the runtime, beside the kubelet's: blocking, for the recorder's thread.

They only read. They take a connection of their own, never the relay's, and every one has a
deadline. gRPC is imported when a client is made: it costs more than all the rest of nsledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from google.protobuf.message import Message

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import parse
from nsledger.cri.methods import RUNTIME_SERVICE
from nsledger.cri.status import (
    ContainerStatus,
    ListedContainer,
    ListedSandbox,
    SandboxStatus,
    decode_container_list,
    decode_container_status,
    decode_pod_sandbox_list,
    decode_pod_sandbox_status,
)
from nsledger.errors import NsledgerError

if TYPE_CHECKING:
    import grpc


class RuntimeCallError(NsledgerError):
    """The runtime did not answer, or answered with an error.

    The error's text stays behind: a runtime quotes in it what it was given.
    """

    def __init__(self, *, method: str, code: str) -> None:
        super().__init__(f"{method}: the runtime answered {code}")
        self.method = method
        self.code = code
        """Name of the gRPC status code, such as `UNAVAILABLE` or `NOT_FOUND`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeVersion:
    """Who answers on the socket."""

    name: str
    """`containerd`, `cri-o`."""
    version: str
    api_version: str


_CHANNEL_OPTIONS: Final = (
    # Otherwise the percent-encoded socket path, which no other CRI client sends.
    ("grpc.default_authority", "localhost"),
    # The lists of a dense node are longer than the default of 4 MiB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A restarted runtime is found again within 100 ms, however long it was away.
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 50),
    # In spite of its name the time limit of one attempt: a runtime too busy to greet within
    # 100 ms would never be reached with 20 here. It does not make the recovery slower.
    ("grpc.min_reconnect_backoff_ms", 5000),
)


class RuntimeClient:
    """A connection to a CRI runtime; made at the first call and again whenever it is lost."""

    def __init__(self, socket_path: str, *, timeout_s: float) -> None:
        import grpc  # noqa: PLC0415  52 ms and 20 MB that only the daemon needs

        self._rpc_error = grpc.RpcError
        self._channel: grpc.Channel = grpc.insecure_channel(
            f"unix:{quote(socket_path)}", options=_CHANNEL_OPTIONS
        )
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way end with `CANCELLED`."""
        self._channel.close()

    def version(self) -> RuntimeVersion:
        """Name and version of the runtime.

        Raises:
            RuntimeCallError: the call failed.
            UndecodableError: the answer is no VersionResponse.
        """
        answer = parse(pb.VersionResponse, self._call("Version", pb.VersionRequest()))
        return RuntimeVersion(
            name=answer.runtime_name,
            version=answer.runtime_version,
            api_version=answer.runtime_api_version,
        )

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        """The verbose status of a sandbox.

        Raises:
            RuntimeCallError: the call failed; `NOT_FOUND` if there is no such sandbox.
            UndecodableError: the answer is of no known shape.
        """
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=pod_sandbox_id, verbose=True)
        return decode_pod_sandbox_status(self._call("PodSandboxStatus", request))

    def container_status(self, container_id: str) -> ContainerStatus:
        """The verbose status of a container.

        Raises:
            RuntimeCallError: the call failed; `NOT_FOUND` if there is no such container.
            UndecodableError: the answer is of no known shape.
        """
        request = pb.ContainerStatusRequest(container_id=container_id, verbose=True)
        return decode_container_status(self._call("ContainerStatus", request))

    def list_pod_sandboxes(self) -> tuple[ListedSandbox, ...]:
        """All sandboxes, ready or not.

        Raises:
            RuntimeCallError: the call failed.
            UndecodableError: the answer is no ListPodSandboxResponse.
        """
        return decode_pod_sandbox_list(self._call("ListPodSandbox", pb.ListPodSandboxRequest()))

    def list_containers(self) -> tuple[ListedContainer, ...]:
        """All containers, in whatever state.

        Raises:
            RuntimeCallError: the call failed.
            UndecodableError: the answer is no ListContainersResponse.
        """
        return decode_container_list(self._call("ListContainers", pb.ListContainersRequest()))

    def _call(self, method: str, request: Message) -> bytes:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            RUNTIME_SERVICE + method
        )
        try:
            return call(request.SerializeToString(), timeout=self._timeout_s)
        except self._rpc_error as error:
            # Not `from error`: a traceback would show the runtime's text.
            raise RuntimeCallError(method=method, code=error.code().name) from None
