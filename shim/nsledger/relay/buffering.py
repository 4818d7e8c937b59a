"""A stand-in for an interceptor that is still being made, so that the relay can serve before it is.

Calls that nobody watches pass as ever. A held one waits until the interceptor arrives, and its hold
limit counts from then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from nsledger.relay.h2.calls import Call, HeldCall, Interceptor, Treatment


class BufferingInterceptor:
    """An `Interceptor` that keeps what it is told for the one that is still being made."""

    def __init__(self, treatment: Callable[[str], Treatment | None]) -> None:
        """`treatment` is the coming interceptor's own."""
        self._treatment = treatment
        self.arrived: Interceptor | None = None
        self.kept: deque[Callable[[Interceptor], None]] = deque()
        """What was told, in its order; only the relay's thread touches it."""
        self._wake: Callable[[], None] | None = None

    def on_arrival(self, wake: Callable[[], None]) -> None:
        """For the relay: have `wake` called, from any thread, once the interceptor is there."""
        self._wake = wake
        if self.arrived is not None:
            wake()

    def arrive(self, interceptor: Interceptor) -> None:
        """Here it is; from any thread. The relay's tells it what was kept, and all that follows."""
        self.arrived = interceptor
        if self._wake is not None:
            self._wake()

    def treatment(self, path: str) -> Treatment | None:
        """What the coming interceptor will say."""
        return self._treatment(path)

    def request_held(self, call: HeldCall, message: bytes) -> None:
        """Keep it, and thereby the call."""
        self.kept.append(lambda interceptor: interceptor.request_held(call, message))

    def request_seen(self, call: Call, message: bytes) -> None:
        """Keep it."""
        self.kept.append(lambda interceptor: interceptor.request_seen(call, message))

    def answered(self, call: Call, message: bytes | None, grpc_status: int | None) -> None:
        """Keep it."""
        self.kept.append(lambda interceptor: interceptor.answered(call, message, grpc_status))

    def overlooked(self, reason: str, path: str | None) -> None:
        """Keep it."""
        self.kept.append(lambda interceptor: interceptor.overlooked(reason, path))
