"""A runtime of the tests' own: a gRPC server on a Unix socket that answers as it is told.

It knows no message and no method: requests and answers are bytes, and what it was sent it keeps.

    with FakeRuntime(path) as runtime:
        runtime.scripts["/runtime.v1.RuntimeService/Version"] = Script(answers=[b"..."])
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import grpc

Metadata = Sequence[tuple[str, str | bytes]]

_NO_DEADLINE_S = 1e9
"""What grpc's synchronous server says is left where there is no deadline is longer than this."""

_LONGEST_HELD_BACK_S = 60.0

UNLIMITED = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


@dataclass(frozen=True, slots=True)
class Script:
    """How the calls of one method are answered."""

    answers: Sequence[bytes] = (b"",)
    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""
    initial_metadata: Metadata = ()
    trailing_metadata: Metadata = ()
    delay_s: float = 0
    """Before each answer."""
    compression: grpc.Compression | None = None
    answer: Callable[[bytes], Iterable[bytes]] | None = None
    """Takes the place of `answers`: from the request to them."""
    unimplemented: bool = False


def held_back(answers: Sequence[bytes], *, after: int = 0) -> tuple[Script, threading.Event]:
    """A script that gives the first `after` of the answers, and the rest once the event is set."""
    let_go = threading.Event()

    def answer(_request: bytes) -> Iterator[bytes]:
        yield from answers[:after]
        let_go.wait(_LONGEST_HELD_BACK_S)
        yield from answers[after:]

    return Script(answer=answer), let_go


@dataclass(slots=True)
class Seen:
    """One call, as the runtime saw it."""

    path: str
    metadata: tuple[tuple[str, str | bytes], ...]
    time_remaining_s: float | None
    requests: list[bytes] = field(default_factory=list[bytes])
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the call is over, for whatever reason."""
    sent: int = 0
    """Answers that gRPC took."""


class FakeRuntime(grpc.GenericRpcHandler):
    """The server. `seen` holds its calls in the order of their arrival."""

    def __init__(self, path: str, *, workers: int = 64) -> None:
        self.path = path
        self.scripts: dict[str, Script] = {}
        self.otherwise = Script(answer=lambda request: [request])
        self.seen: list[Seen] = []
        self._workers = futures.ThreadPoolExecutor(workers)
        self._server = grpc.server(self._workers, handlers=[self], options=UNLIMITED)
        self._server.add_insecure_port(f"unix:{path}")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self, grace_s: float = 0) -> None:
        """Hang up; calls that still run are aborted after `grace_s`."""
        self._server.stop(grace_s).wait()
        self._workers.shutdown(wait=True)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Every method is served, unless its script says that it is unknown."""
        path = handler_call_details.method
        script = self.scripts.get(path, self.otherwise)
        if script.unimplemented:
            return None

        def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._serve(path, script, requests, context)

        return grpc.stream_stream_rpc_method_handler(serve)

    def _serve(
        self,
        path: str,
        script: Script,
        requests: Iterator[bytes],
        context: grpc.ServicerContext,
    ) -> Iterator[bytes]:
        remaining_s = context.time_remaining()
        seen = Seen(
            path=path,
            metadata=tuple((key, value) for key, value in context.invocation_metadata()),
            time_remaining_s=remaining_s if remaining_s < _NO_DEADLINE_S else None,
        )
        self.seen.append(seen)
        context.add_callback(seen.cancelled.set)
        seen.requests.extend(requests)
        if script.compression is not None:
            context.set_compression(script.compression)
        if script.initial_metadata:
            context.send_initial_metadata(tuple(script.initial_metadata))
        answers: Iterable[bytes] = script.answers
        if script.answer is not None:
            answers = script.answer(b"".join(seen.requests))
        for answer in answers:
            if script.delay_s:
                time.sleep(script.delay_s)
            if not context.is_active():
                return
            yield answer
            seen.sent += 1
        context.set_trailing_metadata(tuple(script.trailing_metadata))
        context.set_code(script.code)
        context.set_details(script.details)
