"""One relayed connection past its handshake, spoken to frame by frame."""

from __future__ import annotations

import hpack
from hyperframe.frame import Frame

from nsledger.relay.h2.bodies import prefix
from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PREFACE,
    SETTINGS,
    frame,
)
from nsledger.relay.h2.streams import Event, Limits

HOLD, TAP, PASS = "/s/Hold", "/s/Tap", "/s/Pass"
TREATMENTS = {HOLD: Treatment.HOLD, TAP: Treatment.TAP}
NO_LIMITS = Limits()


class Wire:
    """Both peers' pens, and what the relay made of it."""

    def __init__(self, limits: Limits = NO_LIMITS) -> None:
        self.counters = Counters()
        self.relay = RelayedConnection(TREATMENTS.get, self.counters, limits)
        self.client_headers = hpack.Encoder()
        self.runtime_headers = hpack.Encoder()
        self.client(PREFACE + frame(SETTINGS, 0, 0, b""))
        self.runtime(frame(SETTINGS, 0, 0, b""))
        self.for_runtime()
        self.for_client()

    def client(self, data: bytes) -> None:
        self.relay.receive_from_client(data)

    def runtime(self, data: bytes) -> None:
        self.relay.receive_from_runtime(data)

    def for_runtime(self) -> bytes:
        data = b"".join(self.relay.for_runtime)
        self.relay.for_runtime.clear()
        return data

    def for_client(self) -> bytes:
        data = b"".join(self.relay.for_client)
        self.relay.for_client.clear()
        return data

    def events(self) -> list[Event]:
        events = self.relay.events[:]
        self.relay.events.clear()
        return events

    def request_headers(self, stream_id: int, path: str, *, ends: bool = False) -> bytes:
        block = self.client_headers.encode([(":method", "POST"), (":path", path)])
        return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream_id, block)

    def request_trailers(self, stream_id: int) -> bytes:
        block = self.client_headers.encode([("x-trailer", "1")])
        return frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block)

    def answer_headers(self, stream_id: int) -> bytes:
        block = self.runtime_headers.encode([(":status", "200")])
        return frame(HEADERS, END_HEADERS, stream_id, block)

    def answer_trailers(self, stream_id: int, status: int = 0) -> bytes:
        block = self.runtime_headers.encode([("grpc-status", str(status))])
        return frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block)

    def in_two_frames(self, headers: bytes) -> tuple[bytes, bytes]:
        """A HEADERS frame as HEADERS and CONTINUATION."""
        flags, stream_id, block = headers[4], int.from_bytes(headers[5:9], "big"), headers[9:]
        half = len(block) // 2
        return (
            frame(HEADERS, flags & ~END_HEADERS, stream_id, block[:half]),
            frame(CONTINUATION, END_HEADERS, stream_id, block[half:]),
        )


def prefixed(message: bytes) -> bytes:
    """`message` as a stream carries it, not compressed."""
    return prefix(len(message)) + message


def data(stream_id: int, payload: bytes, *, ends: bool = False) -> bytes:
    return frame(DATA, END_STREAM if ends else 0, stream_id, payload)


def padded_data(stream_id: int, payload: bytes, padding: int, *, ends: bool = False) -> bytes:
    flags = PADDED | (END_STREAM if ends else 0)
    return frame(DATA, flags, stream_id, bytes([padding]) + payload + bytes(padding))


def request(stream_id: int, message: bytes) -> bytes:
    return data(stream_id, prefixed(message), ends=True)


def frames(wire_bytes: bytes) -> list[tuple[str, int, frozenset[str], bytes]]:
    """What stands on the wire: name, stream, flags and body, as `hyperframe` reads them."""
    found: list[tuple[str, int, frozenset[str], bytes]] = []
    at = 0
    while at < len(wire_bytes):
        parsed, length = Frame.parse_frame_header(memoryview(wire_bytes[at : at + 9]))
        body = wire_bytes[at + 9 : at + 9 + length]
        found.append(
            (type(parsed).__name__, parsed.stream_id, frozenset(map(str, parsed.flags)), body)
        )
        at += 9 + length
    return found
