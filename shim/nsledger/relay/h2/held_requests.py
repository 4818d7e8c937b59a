"""The requests whose DATA does not simply pass: held, tapped, refused, or queued by flow control.

* A **held** request's header block passes at once, as every header block does; only its DATA is
  kept until the interceptor releases or refuses it. While more of the request is to come, the relay
  grants the client the window for what it keeps, or a long request would never be complete. For the
  last DATA it does not: that goes out within the hold limit, and the runtime grants it then.
* A **tapped** request's DATA passes and is copied.
* A **refused** stream was reset towards both peers while its client was still sending.

A request that cannot be held (compressed, too long, malformed, too much held already) passes
unannotated and is reported as a gap, or is refused under `failure_policy = "fail"`.

Lists of frames that methods return are for the runtime, in their order.

Source: RFC 9113 sections 5.2, 6.1, 6.4 and 6.9.
"""

from __future__ import annotations

from collections import deque
from typing import Final, assert_never

from nsledger.relay.h2.bodies import (
    PREFIX_BYTES,
    HeldRequest,
    TappedRequest,
    UnreadableMessageError,
    prefix,
)
from nsledger.relay.h2.calls import Treatment
from nsledger.relay.h2.direction import Outcome, Verdict
from nsledger.relay.h2.flow_control import Pacer
from nsledger.relay.h2.frames import (
    CANCEL,
    END_STREAM,
    PADDED,
    REFUSED_STREAM,
    payload_of,
    rst_stream,
    window_update,
)
from nsledger.relay.h2.streams import RequestHeld, RequestSeen, Streams

_MOST_REFUSED: Final = 1024
"""How many refused streams are remembered."""


class _Refused:
    """A stream that was reset both ways while its client still sent."""

    __slots__ = ()


_Attended = HeldRequest | TappedRequest | _Refused


class HeldRequests:
    """The requests of one connection that somebody tracks, and what waits for the runtime."""

    def __init__(self, streams: Streams) -> None:
        self.for_client: list[bytes] = []
        """WINDOW_UPDATEs and RST_STREAMs for the client; whoever sends them empties the list."""
        self.pacer = Pacer()
        self._streams = streams
        self._limits = streams.limits
        self._attended: dict[int, _Attended] = {}
        self._refused: deque[int] = deque()
        self._held_bytes = 0

    @property
    def kept_bytes(self) -> int:
        """Bytes that are held or queued by flow control."""
        return self._held_bytes + self.pacer.queued_bytes

    def track(self, stream_id: int, path: str, treatment: Treatment) -> None:
        """Hold or tap the DATA of a new stream."""
        match treatment:
            case Treatment.HOLD:
                self._attended[stream_id] = HeldRequest(path)
                self.pacer.follow(stream_id)
            case Treatment.TAP:
                limit_bytes = self._limits.copied_message_bytes
                self._attended[stream_id] = TappedRequest(path, limit_bytes)
            case _:
                assert_never(treatment)

    def passes(self, stream_id: int, length: int) -> bool:
        """Whether a DATA frame passes unchanged; if so its length is counted."""
        pacer = self.pacer
        if stream_id in self._attended or stream_id in pacer:
            return False
        return pacer.consume(length)

    def blocks(self, stream_id: int) -> bool:
        """Whether a header block of the stream would overtake DATA that is kept back."""
        return isinstance(self._attended.get(stream_id), HeldRequest) or self.pacer.waits(stream_id)

    def data(self, flags: int, stream_id: int, frame_payload: bytes) -> Outcome:
        """Take a DATA frame of a stream that is held, tapped, refused or queued."""
        payload = payload_of(frame_payload, flags & PADDED)
        length = len(frame_payload)
        ends = flags & END_STREAM != 0
        state = self._attended.get(stream_id)
        match state:
            case HeldRequest():
                return self._hold(stream_id, state, payload, length, ends=ends)
            case TappedRequest():
                state.add(payload)
                if ends:
                    self._tap_ends(stream_id, state)
            case _Refused():
                self._credit(length)
                if ends:
                    del self._attended[stream_id]
                return []
            case None:
                pass
            case _:
                assert_never(state)
        return self._pass_or_queue(stream_id, payload, length, ends=ends)

    def trailers(self, stream_id: int) -> None:
        """A header block has ended a request."""
        state = self._attended.get(stream_id)
        if isinstance(state, TappedRequest):
            self._tap_ends(stream_id, state)
        else:
            self.abandon(stream_id)

    def release(self, stream_id: int, appended: bytes) -> list[bytes] | None:
        """Send a held request on, with `appended` behind its message.

        Returns None if it is not held, or no longer.
        """
        held = self._attended.get(stream_id)
        if not isinstance(held, HeldRequest) or not held.complete:
            return None
        body = [held.joined()]
        if appended:
            message = body[0][PREFIX_BYTES:]
            body = [prefix(len(message) + len(appended)), message, appended]
        self._unhold(stream_id, held)
        return self._send_on(stream_id, body, held.unpaid_bytes, ends=True)

    def refuse(self, stream_id: int) -> list[bytes] | None:
        """Reset the stream of a held request on both sides; None if it is not held."""
        held = self._attended.get(stream_id)
        if not isinstance(held, HeldRequest):
            return None
        return self._reset(stream_id, held)

    def unblock(self, stream_id: int) -> list[bytes]:
        """Release a request that ends with a header block, which no gRPC client sends."""
        held = self._attended.get(stream_id)
        if not isinstance(held, HeldRequest) or held.complete:
            return []
        return self._cannot_hold(stream_id, held, "malformed")

    def answered(self, stream_id: int) -> list[bytes]:
        """The runtime ended the stream before the request was released: release it unchanged."""
        held = self._attended.get(stream_id)
        if not isinstance(held, HeldRequest):
            return []
        if not held.complete:
            self._streams.overlook("answered_early", held.path)
        return self._let_go(stream_id, held)

    def abandon(self, stream_id: int) -> bool:
        """The stream was reset: what is kept back of it is dropped.

        Returns whether the runtime knows already, because the stream was refused.
        """
        state = self._attended.pop(stream_id, None)
        unpaid_bytes = self.pacer.forget(stream_id)
        if isinstance(state, HeldRequest):
            self._held_bytes -= state.size
            unpaid_bytes += state.unpaid_bytes
        self._credit(self.pacer.defer(-unpaid_bytes))
        return isinstance(state, _Refused)

    def _tap_ends(self, stream_id: int, tapped: TappedRequest) -> None:
        del self._attended[stream_id]
        try:
            message = tapped.message()
        except UnreadableMessageError as error:
            self._streams.overlook(error.reason, tapped.path)
            return
        self._streams.events.append(RequestSeen(stream_id, tapped.path, message))
        self._streams.watch_answer(stream_id, tapped.path)

    def _hold(
        self, stream_id: int, held: HeldRequest, payload: bytes, length: int, *, ends: bool
    ) -> Outcome:
        first = not held.size
        held.add(payload, ends=ends)
        self._held_bytes += len(payload)
        problem = self._problem(held)
        if problem is not None and first and not self._limits.refuse_unwatchable:
            # Nothing was kept back before, so nothing differs: as if it had never been held.
            self._streams.overlook(problem, held.path)
            self._unhold(stream_id, held)
            self.pacer.forget(stream_id)
            return self._pass_or_queue(stream_id, payload, length, ends=ends)
        if ends:
            held.unpaid_bytes += length
        else:
            self._credit(length)
            self._credit(length, stream_id)
        if problem is not None:
            return self._cannot_hold(stream_id, held, problem)
        if ends:
            message = held.joined()[PREFIX_BYTES:]
            self._streams.events.append(RequestHeld(stream_id, held.path, message))
            self._streams.watch_answer(stream_id, held.path)
        return []

    def _problem(self, held: HeldRequest) -> str | None:
        """Why a request cannot be held; None if it can."""
        try:
            held.check(self._limits.held_message_bytes)
        except UnreadableMessageError as error:
            return error.reason
        kept_bytes = self._held_bytes + self.pacer.queued_bytes
        return "crowded" if kept_bytes > self._limits.held_bytes else None

    def _cannot_hold(self, stream_id: int, held: HeldRequest, reason: str) -> list[bytes]:
        self._streams.overlook(reason, held.path)
        if self._limits.refuse_unwatchable:
            return self._reset(stream_id, held)
        return self._let_go(stream_id, held)

    def _let_go(self, stream_id: int, held: HeldRequest) -> list[bytes]:
        """Release what was kept; the DATA behind it only obeys flow control."""
        self._unhold(stream_id, held)
        if not held.complete:
            self.pacer.defer_on_stream(stream_id, held.size)
        return self._send_on(stream_id, [held.joined()], held.unpaid_bytes, ends=held.complete)

    def _unhold(self, stream_id: int, held: HeldRequest) -> None:
        del self._attended[stream_id]
        self._held_bytes -= held.size

    def _send_on(
        self, stream_id: int, body: list[bytes], unpaid_bytes: int, *, ends: bool
    ) -> list[bytes]:
        self._credit(self.pacer.defer(sum(map(len, body)) - unpaid_bytes))
        return self.pacer.send(stream_id, body, ends=ends)

    def _pass_or_queue(self, stream_id: int, payload: bytes, length: int, *, ends: bool) -> Outcome:
        if stream_id not in self.pacer and self.pacer.consume(length):
            return Verdict.PASS
        padding_bytes = length - len(payload)
        self._credit(padding_bytes)
        if not ends:
            self._credit(padding_bytes, stream_id)
        return self.pacer.send(stream_id, [payload], ends=ends)

    def _reset(self, stream_id: int, held: HeldRequest) -> list[bytes]:
        self.abandon(stream_id)
        if not held.complete:
            self._attended[stream_id] = _Refused()
            self._refused.append(stream_id)
            if len(self._refused) > _MOST_REFUSED:
                self._attended.pop(self._refused.popleft(), None)
        self._streams.end(stream_id, reset=True)
        self.for_client.append(rst_stream(stream_id, REFUSED_STREAM))
        return [rst_stream(stream_id, CANCEL)]

    def _credit(self, byte_count: int, stream_id: int = 0) -> None:
        if byte_count:
            self.for_client.append(window_update(stream_id, byte_count))
