"""Client to runtime: which call a stream is, and whether its request is to be tracked.

Source: RFC 9113 sections 3.4 and 5.1; gRPC over HTTP/2, section "Requests".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.direction import Direction, Outcome, Verdict
from nsledger.relay.h2.frames import ACK, PING, PREFACE, RST_STREAM
from nsledger.relay.h2.held_requests import HeldRequests
from nsledger.relay.h2.hpack import Field, HeaderDecoder
from nsledger.relay.h2.streams import Streams

DRAIN_PING: Final = b"nsledger"
"""Opaque data of the relay's own PING: the answer says that the client has seen the GOAWAY."""
_MOST_ROUTES: Final = 256


@dataclass(frozen=True, slots=True)
class _Route:
    path: str
    treatment: Treatment | None


class RequestDirection(Direction):
    """What a client sends."""

    def __init__(
        self,
        decoder: HeaderDecoder,
        opposite_decoder: HeaderDecoder,
        streams: Streams,
        treatment: Callable[[str], Treatment | None],
    ) -> None:
        super().__init__(decoder, opposite_decoder)
        self._handlers[RST_STREAM] = self._on_rst_stream
        self.held_requests = HeldRequests(streams)
        self.drain_ping_acked = False
        self._streams = streams
        self._treatment = treatment
        self._routes: dict[bytes, _Route] = {}
        self._preface_left = PREFACE

    def receive(self, data: bytes) -> None:
        """Take the next bytes of the client, the connection preface first."""
        if self._preface_left and not self.copying:
            head = data[: len(self._preface_left)]
            if not self._preface_left.startswith(head):
                self._streams.unfollow("not_http2")
                self.copy_from_here()
            else:
                self._preface_left = self._preface_left[len(head) :]
                self.out.append(head)
                data = data[len(head) :]
        super().receive(data)

    @property
    def started(self) -> bool:
        """Whether the client's preface has come."""
        return not self._preface_left

    @property
    def idle(self) -> bool:
        """Whether nothing that the client sent is kept back."""
        return self.waiting_for is None and not self.held_requests.kept_bytes

    @property
    def wants_bytes(self) -> bool:
        """Whether the client should be read: what is kept back has a bound."""
        limit_bytes = self._streams.limits.held_bytes
        return self.waiting_for is None and self.held_requests.pacer.queued_bytes <= limit_bytes

    def unblock(self) -> None:
        """Go on past a header block that had to stay behind DATA of its stream, if it can."""
        while (stream_id := self.waiting_for) is not None:
            self.inject(self.held_requests.unblock(stream_id))
            if self.held_requests.blocks(stream_id):
                return
            self.resume()

    def expect_drain_ping_ack(self) -> None:
        """Look out for the answer to the relay's PING; the runtime did not ask for it."""
        self._handlers[PING] = self._on_ping

    def _passes(self, stream_id: int, _flags: int, length: int, /) -> bool:
        return self.held_requests.passes(stream_id, length)

    def _on_data(self, flags: int, stream_id: int, payload: bytes, /) -> Outcome:
        return self.held_requests.data(flags, stream_id, payload)

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> Outcome:
        if stream_id <= self._streams.last_opened and self.held_requests.blocks(stream_id):
            self.waiting_for = stream_id
            return Verdict.WAIT
        return super()._on_headers(flags, stream_id, payload)

    def _on_rst_stream(self, _flags: int, stream_id: int, _payload: bytes) -> Outcome:
        runtime_knows = self.held_requests.abandon(stream_id)
        self._streams.end(stream_id, reset=True)
        return [] if runtime_knows else Verdict.PASS

    def _on_ping(self, flags: int, _stream_id: int, payload: bytes) -> Outcome:
        if self.drain_ping_acked or not flags & ACK or payload != DRAIN_PING:
            return Verdict.PASS
        self.drain_ping_acked = True
        return []

    def _must_read(self, _stream_id: int, /) -> bool:
        return True

    def _on_setting(self, _identifier: int, _value: int, /) -> None:
        """A client's settings are for the runtime's answers, which pass as they are."""

    def _on_headers_lost(self, reason: str) -> None:
        self._streams.unfollow(reason)

    def _on_block(self, stream_id: int, fields: list[Field] | None, *, ends: bool) -> None:
        if stream_id <= self._streams.last_opened:
            if ends:
                self.held_requests.trailers(stream_id)
            return
        route = self._route(fields)
        self._streams.begin(stream_id, None if route is None else route.path)
        if route is None or route.treatment is None:
            return
        if ends:
            self._streams.overlook("malformed", route.path)
        else:
            self.held_requests.track(stream_id, route.path, route.treatment)

    def _route(self, fields: list[Field] | None) -> _Route | None:
        for name, value in fields or ():
            if name == b":path":
                return self._routes.get(value) or self._new_route(value)
        return None

    def _new_route(self, path_value: bytes) -> _Route:
        path = path_value.decode("utf-8", "backslashreplace")
        route = _Route(path, self._treatment(path))
        if len(self._routes) < _MOST_ROUTES:
            self._routes[path_value] = route
        return route
