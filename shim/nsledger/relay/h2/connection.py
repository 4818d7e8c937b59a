"""One client's connection to the runtime, as the relay carries it: bytes in, bytes and events out.

No socket, no clock. Every frame passes unchanged, except the DATA of requests that an
interceptor holds and the WINDOW_UPDATEs that flow control keeps. The caller sends `for_runtime` and
`for_client`, passes `events` to the interceptor, and empties all three:

    connection = RelayedConnection(interceptor.treatment, counters)
    connection.receive_from_client(client.recv(16384))
    runtime.send(b"".join(connection.for_runtime))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.frames import LAST_STREAM_ID, PING, frame, goaway
from nsledger.relay.h2.hpack import HeaderDecoder
from nsledger.relay.h2.requests import DRAIN_PING, RequestDirection
from nsledger.relay.h2.responses import AnswerDirection
from nsledger.relay.h2.streams import Event, Limits, Streams

DEFAULT_LIMITS: Final = Limits()


class RelayedConnection:
    """Two directions and the streams they share."""

    def __init__(
        self,
        treatment: Callable[[str], Treatment | None],
        counters: Counters,
        limits: Limits = DEFAULT_LIMITS,
        streams: Callable[[Counters, Limits], Streams] = Streams,
    ) -> None:
        """`treatment` is asked once for each path, then remembered for the connection."""
        request_decoder, answer_decoder = HeaderDecoder(), HeaderDecoder()
        self._streams = streams(counters, limits)
        self._requests = RequestDirection(request_decoder, answer_decoder, self._streams, treatment)
        self._answers = AnswerDirection(
            answer_decoder, request_decoder, self._streams, self._requests
        )
        self._leaving = False
        self._sent_drain_ping = False
        self.for_runtime: list[bytes] = self._requests.out
        self.for_client: list[bytes] = self._answers.out
        self.events: list[Event] = self._streams.events

    def receive_from_client(self, data: bytes) -> None:
        """The client sent `data`."""
        self._requests.receive(data)
        if self._requests.copying and not self._answers.copying:
            self._answers.copy_from_here()
        self._settle()

    def receive_from_runtime(self, data: bytes) -> None:
        """The runtime sent `data`."""
        self._answers.receive(data)
        self._settle()

    def release(self, stream_id: int, appended: bytes = b"") -> bool:
        """Send a held request on, with `appended` behind its message.

        Returns False if it is not held, or no longer.
        """
        return self._send(self._requests.held_requests.release(stream_id, appended))

    def refuse(self, stream_id: int) -> bool:
        """Reset a held request's stream on both sides; False if it is not held, or no longer."""
        return self._send(self._requests.held_requests.refuse(stream_id))

    def go_away(self) -> None:
        """Ask the client to open no more streams here; those that run go on."""
        self._leaving = True
        self._settle()

    def close(self) -> None:
        """The connection is gone: say so of every call that was watched."""
        self._streams.close()

    @property
    def wants_client_bytes(self) -> bool:
        """Whether to read from the client: False while what is kept back is at its bound."""
        return self._requests.wants_bytes

    @property
    def keeps_request_bytes(self) -> bool:
        """Whether something that the client sent has not gone to the runtime yet."""
        return not self._requests.idle

    @property
    def must_close(self) -> bool:
        """Whether nothing more may pass: calls can no longer be watched, and have to be."""
        return self._streams.unfollowed and self._streams.limits.refuse_unwatchable

    @property
    def started(self) -> bool:
        """Whether the client has said its preface."""
        return self._requests.started

    @property
    def drained(self) -> bool:
        """Whether `go_away` was heard and every call is over."""
        if not self._leaving or self._requests.copying:
            return False
        return (
            self._requests.drain_ping_acked
            and not self._streams.open
            and self._requests.idle
            and self._answers.between_frames
        )

    def final_goaway(self) -> bytes:
        """What to send before hanging up on calls that still run: which streams were served."""
        if not self._answers.started or not self._answers.between_frames:
            return b""
        return goaway(self._streams.last_opened)

    def _send(self, frames: list[bytes] | None) -> bool:
        if frames is None:
            return False
        self._requests.inject(frames)
        self._settle()
        return True

    def _settle(self) -> None:
        requests = self._requests
        if requests.waiting_for is not None:
            requests.unblock()
        if requests.held_requests.for_client:
            self._answers.inject(requests.held_requests.for_client)
            requests.held_requests.for_client.clear()
        if self._leaving and self._answers.started and not self._sent_drain_ping:
            self._sent_drain_ping = True
            requests.expect_drain_ping_ack()
            drain_ping = [frame(PING, 0, 0, DRAIN_PING)]
            if not self._answers.goaway_passed:
                # A second GOAWAY may not name a higher stream than the first one.
                drain_ping.insert(0, goaway(LAST_STREAM_ID))
            self._answers.inject(drain_ping)
