"""The interface between the relay and an interceptor, in the sense of gRPC's interceptors.

The relay knows streams and bytes; an interceptor knows what a message means. Both import this file
and not each other. An interceptor can add bytes behind a request's message, refuse the request, or
look at copies. It can change nothing that a peer sent:

    def request_held(self, call: HeldCall, message: bytes) -> None:
        call.release(annotations_for(message))   # at once, or later from any thread
"""

from __future__ import annotations

import enum
from typing import Protocol


class Treatment(enum.Enum):
    """What the relay does with calls of a method. Methods without a treatment pass unseen."""

    HOLD = "hold"
    """Keep the request back until the interceptor releases it; copy the answer."""
    TAP = "tap"
    """Let everything pass, and give the interceptor a copy of the request and of the answer."""


class Call(Protocol):
    """One gRPC call on its way through the relay."""

    @property
    def path(self) -> str:
        """The `:path` header, such as `/runtime.v1.RuntimeService/RunPodSandbox`."""
        ...

    @property
    def received_mono_ns(self) -> int:
        """CLOCK_MONOTONIC when the request was complete."""
        ...


class HeldCall(Call, Protocol):
    """A call whose request waits for the interceptor. Both methods may be called from any thread.

    The first call of either decides. The relay itself releases the request unchanged when the
    hold limit is over (or refuses it, under `failure_policy = "fail"`), and says so by
    `Interceptor.overlooked`.
    """

    def release(self, appended: bytes = b"") -> None:
        """Send the request on, with `appended` behind its message.

        Nothing that the client sent can be changed or left out, so this is all that an interceptor
        may do to it: protobuf reads what follows a message as more of its fields.
        """
        ...

    def refuse(self) -> None:
        """Reset the stream on both sides (REFUSED_STREAM, which gRPC reads as UNAVAILABLE)."""
        ...


class Interceptor(Protocol):
    """What the relay calls, on its own thread: each method returns at once and does not raise."""

    def treatment(self, path: str) -> Treatment | None:
        """How calls of `path` are treated; None lets them pass unseen.

        Asked when a connection first sees `path`; the answer holds for the whole connection.
        """
        ...

    def request_held(self, call: HeldCall, message: bytes) -> None:
        """A HOLD request is complete. `message` is one gRPC message without its 5 byte prefix."""
        ...

    def request_seen(self, call: Call, message: bytes) -> None:
        """A TAP request went through."""
        ...

    def answered(self, call: Call, message: bytes | None, grpc_status: int | None) -> None:
        """The call is over: told once for each `request_held` and `request_seen`, same `call`.

        `grpc_status` is None if the call was reset or refused, its connection closed, or nobody
        could read it. `message` is the answer's only message; None if there was none or it could
        not be copied. The answer itself was sent on before.
        """
        ...

    def overlooked(self, reason: str, path: str | None) -> None:
        """The relay could not watch something: a gap. `reason` is a word, `path` the method.

        One call was not seen by this interceptor, or not in time: `compressed`, `oversized`,
        `malformed`, `crowded` (too much was held already), `answered_early`, `hold_limit`,
        `watcher_error`. Of an answer, its message: `answer_compressed`, `answer_oversized`,
        `answer_malformed`. Without a path, no later call of one connection will be seen:
        `not_http2`, `undecodable_headers`, `oversized_headers`, `oversized_frame`,
        `strange_frame`; or the connection was closed for a fault of the relay: `relay_error`.
        """
        ...
