"""Runtime to client: where calls end, which responses are copied, which windows are granted.

Everything passes but the part of a WINDOW_UPDATE that pays a deficit (`flow_control`).

Source: RFC 9113 sections 5.1, 6.8 and 6.9; gRPC over HTTP/2, section "Responses".
"""

from __future__ import annotations

from typing import Final

from nsledger.relay.h2.direction import Direction, Outcome, Verdict
from nsledger.relay.h2.frames import (
    END_STREAM,
    GOAWAY,
    PADDED,
    RST_STREAM,
    SETTINGS_INITIAL_WINDOW_SIZE,
    WINDOW_UPDATE,
    payload_of,
    uint31_of,
    window_update,
)
from nsledger.relay.h2.hpack import Field, HeaderDecoder
from nsledger.relay.h2.requests import RequestDirection
from nsledger.relay.h2.streams import Streams

_STATUS_DIGITS: Final = 9
"""gRPC knows 17 codes; a longer number is no status that anybody could read."""


class AnswerDirection(Direction):
    """What the runtime sends."""

    def __init__(
        self,
        decoder: HeaderDecoder,
        opposite_decoder: HeaderDecoder,
        streams: Streams,
        requests: RequestDirection,
    ) -> None:
        super().__init__(decoder, opposite_decoder)
        self._handlers[RST_STREAM] = self._on_rst_stream
        self._handlers[GOAWAY] = self._on_goaway
        self._handlers[WINDOW_UPDATE] = self._on_window_update
        self.started = False
        """Whether the runtime's SETTINGS have passed: nothing may come before them."""
        self.goaway_passed = False
        self._streams = streams
        self._requests = requests
        self._held_requests = requests.held_requests

    def _passes(self, stream_id: int, flags: int, _length: int, /) -> bool:
        if stream_id in self._streams.answers:
            return False
        if flags & END_STREAM:
            self._ended(stream_id)
        return True

    def _on_data(self, flags: int, stream_id: int, payload: bytes, /) -> Outcome:
        answer = self._streams.answers[stream_id]
        answer.add(payload_of(payload, flags & PADDED))
        if flags & END_STREAM:
            self._ended(stream_id)
        return Verdict.PASS

    def _must_read(self, stream_id: int, /) -> bool:
        return stream_id in self._streams.answers

    def _on_headers_lost(self, reason: str) -> None:
        self._streams.unfollow(reason)

    def _on_block(self, stream_id: int, fields: list[Field] | None, *, ends: bool) -> None:
        if not ends:
            return
        answer = self._streams.answers.get(stream_id)
        if answer is not None:
            answer.grpc_status = _grpc_status(fields)
        self._ended(stream_id)

    def _ended(self, stream_id: int) -> None:
        self._streams.end(stream_id)
        self._requests.inject(self._held_requests.answered(stream_id))

    def _on_setting(self, identifier: int, value: int, /) -> None:
        if identifier == SETTINGS_INITIAL_WINDOW_SIZE:
            self._held_requests.pacer.set_initial_window(value)
            self._requests.inject(self._held_requests.pacer.take())

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> Outcome:
        self.started = True
        return super()._on_settings(flags, stream_id, payload)

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> Outcome:
        increment = uint31_of(payload)
        pacer = self._held_requests.pacer
        rest = pacer.grant(increment, stream_id)
        if pacer.queued_bytes:
            self._requests.inject(pacer.take())
        if rest == increment:
            return Verdict.PASS
        return [window_update(stream_id, rest)] if rest else []

    def _on_rst_stream(self, _flags: int, stream_id: int, _payload: bytes) -> Outcome:
        self._held_requests.abandon(stream_id)
        self._streams.end(stream_id, reset=True)
        return Verdict.PASS

    def _on_goaway(self, _flags: int, _stream_id: int, payload: bytes) -> Outcome:
        self.goaway_passed = True
        last = uint31_of(payload)
        for unserved in [opened for opened in self._streams.open if opened > last]:
            self._held_requests.abandon(unserved)
            self._streams.end(unserved, reset=True)
        return Verdict.PASS


def _grpc_status(fields: list[Field] | None) -> int | None:
    for name, value in fields or ():
        if name == b"grpc-status" and value.isdigit() and len(value) <= _STATUS_DIGITS:
            return int(value)
    return None
