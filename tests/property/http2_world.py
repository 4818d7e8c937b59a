"""Two real HTTP/2 peers (the `h2` library) with the relay's core between them, and no sockets.

Bytes lie in four pipes. Each step moves a random piece of one of them, lets a peer act, or lets
the interceptor decide on a held request. `h2` raises on everything the RFC forbids: a window
overdrawn, a frame out of place, a header block that does not decode.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.connection import RelayedConnection
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.streams import Answered, Event, Limits, RequestHeld
from tests.http2_wire import prefixed

HELD, TAPPED, PASSED = "/test/Hold", "/test/Tap", "/test/Pass"
TREATMENTS = {HELD: Treatment.HOLD, TAPPED: Treatment.TAP}
STATUS = 5


@dataclass(slots=True)
class Call:
    """What a client asks, and what came of it."""

    path: str
    body: bytes
    answer: bytes
    cancelled: bool = False
    stream_id: int = 0
    sent: int = 0
    request_over: bool = False
    received: bytes = b""
    status: int | None = None
    reset: bool = False

    @property
    def over(self) -> bool:
        return self.status is not None or self.reset or self.cancelled


@dataclass(slots=True)
class Served:
    """What the runtime saw of a call."""

    path: str
    body: bytes = b""
    complete: bool = False
    reset: bool = False
    answer: bytes = b""
    answered: int = -1
    over: bool = False


@dataclass
class World:
    """The peers, the relay, and the pipes between them."""

    random: random.Random
    calls: list[Call]
    limits: Limits = field(default_factory=Limits)
    window: int = 65_535
    table: int = 4096
    largest_piece: int = 70_000
    lazy: int = 0
    """The runtime grants its windows anew once so many bytes are used up."""

    def __post_init__(self) -> None:
        config = h2.config.H2Configuration
        self.client = h2.connection.H2Connection(config(client_side=True, header_encoding=None))
        self.runtime = h2.connection.H2Connection(config(client_side=False, header_encoding=None))
        self.counters = Counters()
        self.relay = RelayedConnection(TREATMENTS.get, self.counters, self.limits)
        self.pipes = {name: bytearray() for name in ("c>", ">r", "r>", ">c")}
        self.events: list[Event] = []
        self.held: list[RequestHeld] = []
        self.served: dict[int, Served] = {}
        self.rewritten: dict[int, bytes] = {}
        self.refused: set[int] = set()
        self.unacknowledged: dict[int, int] = {}
        self.client.initiate_connection()
        self.runtime.initiate_connection()
        self.runtime.update_settings(
            {
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: self.window,
                h2.settings.SettingCodes.HEADER_TABLE_SIZE: self.table,
            }
        )
        self._flush()
        while self.move():
            pass  # h2 holds a client to settings that it has not acknowledged yet

    # --- the peers -------------------------------------------------------------------------------

    def _flush(self) -> None:
        self.pipes["c>"] += self.client.data_to_send()
        self.pipes["r>"] += self.runtime.data_to_send()

    def client_acts(self) -> bool:
        begun = [call for call in self.calls if call.stream_id]
        choices = [call for call in begun if not call.request_over and not call.over]
        new = next((call for call in self.calls if not call.stream_id), None)
        if new is not None and self.random.random() < 0.5:
            self._open(new)
            return True
        self.random.shuffle(choices)
        return any(self._send_some(call) for call in choices) or self._open(new)

    def _open(self, call: Call | None) -> bool:
        if call is None:
            return False
        call.stream_id = self.client.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", call.path),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("grpc-timeout", f"{self.random.randrange(10**6)}u"),
        ]
        weight = None
        if self.random.random() < (0.1 if self.largest_piece > 1 else 0.01):
            headers.append(("x-long", "v" * 40_000))  # takes CONTINUATION frames
        elif self.random.random() < 0.2:
            weight = 7
        self.client.send_headers(call.stream_id, headers, priority_weight=weight)
        if self.random.random() < 0.1:
            self.client.ping(bytes(8))
        self._flush()
        return True

    def _send_some(self, call: Call) -> bool:
        if call.cancelled or self.random.random() < 0.02:
            call.cancelled = True
            call.request_over = True
            self.client.reset_stream(call.stream_id, 8)
            self._flush()
            return True
        left = len(call.body) - call.sent
        room = min(
            self.client.local_flow_control_window(call.stream_id),
            self.client.max_outbound_frame_size,
        )
        if left and room <= 0:
            return False
        size = min(left, room, self.random.choice((1, 4, 5, 100, 16_384, 16_384)))
        padding = None
        if room > size + 1 and self.random.random() < 0.3:
            padding = self.random.randrange(min(room - size, 256))
        ends = size == left and self.random.random() < 0.8
        if not size and not ends:
            ends = True
        piece = call.body[call.sent : call.sent + size]
        self.client.send_data(call.stream_id, piece, end_stream=ends, pad_length=padding)
        call.sent += size
        call.request_over = ends
        self._flush()
        return True

    def client_hears(self, data: bytes) -> None:
        by_id = {call.stream_id: call for call in self.calls}
        for event in self.client.receive_data(data):
            call = by_id.get(getattr(event, "stream_id", None) or 0)
            match event:
                case h2.events.DataReceived():
                    if call is not None:
                        call.received += event.data
                    if event.flow_controlled_length:
                        self.client.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                case h2.events.TrailersReceived() if call is not None:
                    call.status = int(dict(event.headers)[b"grpc-status"])
                case h2.events.StreamReset() if call is not None:
                    call.reset = True
                    call.request_over = True
                case _:
                    pass
        self._flush()

    def runtime_hears(self, data: bytes) -> None:
        for event in self.runtime.receive_data(data):
            match event:
                case h2.events.RequestReceived():
                    path = dict(event.headers)[b":path"].decode()
                    self.served[event.stream_id] = Served(path)
                case h2.events.DataReceived():
                    self.served[event.stream_id].body += event.data
                    self._grant(event.stream_id, event.flow_controlled_length)
                case h2.events.StreamEnded():
                    self.served[event.stream_id].complete = True
                case h2.events.StreamReset():
                    self.served[event.stream_id].reset = True
                case _:
                    pass
        self._flush()

    def _grant(self, stream_id: int, used: int) -> None:
        """As grpc-go does: what is used up is granted again once it is worth a frame."""
        for scope, limit in ((0, self.lazy), (stream_id, min(self.lazy, self.window // 4))):
            self.unacknowledged[scope] = self.unacknowledged.get(scope, 0) + used
            if self.unacknowledged[scope] > limit:
                try:
                    self.runtime.increment_flow_control_window(
                        self.unacknowledged[scope], scope or None
                    )
                except (h2.exceptions.ProtocolError, KeyError):
                    continue  # the stream is over
                self.unacknowledged[scope] = 0

    def runtime_acts(self) -> bool:
        answers = {call.stream_id: call.answer for call in self.calls if call.stream_id}
        ready = [
            (stream_id, served)
            for stream_id, served in self.served.items()
            if served.complete and not served.over and not served.reset
        ]
        self.random.shuffle(ready)
        for stream_id, served in ready:
            answer = answers[stream_id]
            if served.answered < 0:
                headers = [(":status", "200"), ("content-type", "application/grpc")]
                self.runtime.send_headers(stream_id, headers)
                served.answered = 0
            left = len(answer) - served.answered
            if left:
                size = min(left, 16_384, self.runtime.local_flow_control_window(stream_id))
                if size <= 0:
                    continue
                piece = answer[served.answered : served.answered + size]
                self.runtime.send_data(stream_id, piece)
                served.answered += size
            else:
                trailers = [("grpc-status", str(STATUS)), ("grpc-message", f"m{stream_id}")]
                self.runtime.send_headers(stream_id, trailers, end_stream=True)
                served.over = True
            self._flush()
            return True
        return False

    # --- the relay -------------------------------------------------------------------------------

    def take_relay_output(self) -> None:
        for pipe, chunks in ((">r", self.relay.for_runtime), (">c", self.relay.for_client)):
            self.pipes[pipe] += b"".join(chunks)
            chunks.clear()
        for event in self.relay.events:
            self.events.append(event)
            if isinstance(event, RequestHeld):
                self.held.append(event)
        self.relay.events.clear()

    def watcher_acts(self) -> bool:
        if not self.held:
            return False
        held = self.held.pop(self.random.randrange(len(self.held)))
        choice = self.random.random()
        if choice < 0.1:
            if self.relay.refuse(held.stream_id):
                self.refused.add(held.stream_id)
        else:
            appended = b"A" * self.random.choice((1, 500, 40_000)) if choice < 0.4 else b""
            if self.relay.release(held.stream_id, appended):
                self.rewritten[held.stream_id] = held.message + appended
        self.take_relay_output()
        return True

    def move(self) -> bool:
        names = [name for name, pipe in self.pipes.items() if pipe]
        if not self.relay.wants_client_bytes and "c>" in names:
            names.remove("c>")
        if not names:
            return False
        name = self.random.choice(names)
        size = self.random.randint(1, self.largest_piece)
        data = bytes(self.pipes[name][:size])
        del self.pipes[name][:size]
        match name:
            case "c>":
                self.relay.receive_from_client(data)
            case "r>":
                self.relay.receive_from_runtime(data)
            case ">r":
                self.runtime_hears(data)
            case _:
                self.client_hears(data)
        self.take_relay_output()
        return True

    def run(self) -> None:
        """Until nothing moves any more."""
        acts = [self.move, self.client_acts, self.runtime_acts, self.watcher_acts]
        while True:
            self.random.shuffle(acts)
            if not any(act() for act in acts):
                return


def grpc_body(message: bytes) -> bytes:
    return prefixed(message)


def answers_of(world: World) -> dict[int, Answered]:
    return {event.stream_id: event for event in world.events if isinstance(event, Answered)}
