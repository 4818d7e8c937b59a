"""One direction of a relayed connection: finds the frames in a stream of bytes and passes them on.

A frame without a handler passes as it arrives, in the very bytes objects that were received. A
frame with a handler is kept until it is whole (at most one frame), and the handler says whether it
passes, waits, or is replaced. Frames that the relay itself sends are put between two frames of the
peer, never inside a header block (RFC 9113 section 6.10).

    direction = RequestDirection(...)
    direction.receive(b"...")      # any cut of the byte stream gives the same output
    socket.send(direction.out)

Source: RFC 9113 sections 4 and 6.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from nsledger.relay.h2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    FRAME_HEADER,
    FRAME_HEADER_BYTES,
    HEADERS,
    LAST_STREAM_ID,
    PUSH_PROMISE,
    SETTINGS,
    SETTINGS_HEADER_TABLE_SIZE,
    FrameError,
    settings_of,
)
from nsledger.relay.h2.header_blocks import Block, HeaderBlocks
from nsledger.relay.h2.hpack import Field, HeaderDecoder

_MOST_WHOLE_FRAME_BYTES: Final = 1 << 20
"""A longer frame is not waited for, unless it is DATA."""
_BLOCK_FRAMES: Final = (HEADERS, PUSH_PROMISE, CONTINUATION)


class Verdict(enum.Enum):
    """What becomes of a frame that its handler has seen."""

    PASS = enum.auto()
    """It goes on as the bytes it is."""
    WAIT = enum.auto()
    """It, and all behind it, stays until `resume`."""


Outcome = Verdict | list[bytes]
"""A list stands for the frame in its place: the frames that go on instead, perhaps none."""

Handler = Callable[[int, int, bytes], Outcome]
"""Takes the flags, the stream and the payload of a whole frame."""


class Direction(ABC):
    """The walk over the frames; subclasses say what a frame of their direction means."""

    def __init__(self, decoder: HeaderDecoder, opposite_decoder: HeaderDecoder) -> None:
        self.out: list[bytes] = []
        """What goes on to the other peer; whoever sends it empties the list."""
        self.waiting_for: int | None = None
        """The stream whose queued bytes have to leave before the next frame can."""
        self.copying = False
        """The peers do not speak HTTP/2: bytes pass and are not parsed."""
        self._blocks = HeaderBlocks(decoder, self._on_headers_lost)
        self._opposite_decoder = opposite_decoder
        self._handlers: dict[int, Handler] = {
            DATA: self._on_data,
            HEADERS: self._on_headers,
            PUSH_PROMISE: self._on_push_promise,
            CONTINUATION: self._on_continuation,
            SETTINGS: self._on_settings,
        }
        self._stash: list[bytes] = []
        """What was received and cannot pass yet."""
        self._stashed_bytes = 0
        self._needed_bytes = 0
        """How much the stash must hold for the next frame to be handled."""
        self._passing_bytes: int = 0
        """What is still to come of the frame that is passing."""
        self._injected: list[bytes] = []

    # --- what a direction must say ---------------------------------------------------------------

    @abstractmethod
    def _passes(self, stream_id: int, flags: int, length: int, /) -> bool:
        """Whether a DATA frame passes without its handler; if so its length is counted."""

    @abstractmethod
    def _on_data(self, flags: int, stream_id: int, payload: bytes, /) -> Outcome:
        """Handle a whole DATA frame for which `_passes` was False."""

    @abstractmethod
    def _on_block(self, stream_id: int, fields: list[Field] | None, *, ends: bool) -> None:
        """A header block is complete; None if it could not be read, or need not be."""

    @abstractmethod
    def _must_read(self, stream_id: int, /) -> bool:
        """Whether a block of this stream must be read even if it changes no table."""

    @abstractmethod
    def _on_setting(self, identifier: int, value: int, /) -> None:
        """The peer announced a setting."""

    @abstractmethod
    def _on_headers_lost(self, reason: str) -> None:
        """Header blocks of this direction can no longer be read."""

    # --- what the connection asks for ------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take the next bytes of the peer."""
        if self.copying:
            self.out.append(data)
            return
        if self._stash:
            self._stash.append(data)
            self._stashed_bytes += len(data)
            if self._stashed_bytes < self._needed_bytes or self.waiting_for is not None:
                return
            data = self._take_stash()
        self._walk(data)

    def resume(self) -> None:
        """Go on with the frame that a handler answered WAIT to."""
        self.waiting_for = None
        self._walk(self._take_stash())

    def inject(self, frames: list[bytes]) -> None:
        """Send frames of the relay's own, as soon as no frame or header block is half through."""
        if self.between_frames:
            self.out.extend(frames)
        else:
            self._injected.extend(frames)

    def copy_from_here(self) -> None:
        """Stop looking: the peers do not speak HTTP/2."""
        self.copying = True
        if self._stash:
            self.out.append(self._take_stash())

    @property
    def between_frames(self) -> bool:
        """Whether what has passed so far ends with a whole frame, outside of a header block."""
        return not self._passing_bytes and self._blocks.open_stream is None

    # --- the walk --------------------------------------------------------------------------------

    def _walk(self, data: bytes) -> None:
        end = len(data)
        at = self._passing_bytes
        if at > end:
            self._passing_bytes = at - end
            self.out.append(data)
            return
        passed = 0
        if at:
            self._passing_bytes = 0
            passed = self._inject_at(data, passed, at)
        needed = FRAME_HEADER_BYTES
        handlers = self._handlers
        unpack = FRAME_HEADER.unpack_from
        while (start := at + FRAME_HEADER_BYTES) <= end:
            high, low, kind, flags, stream_id = unpack(data, at)
            length = high << 8 | low
            stop = start + length
            stream_id &= LAST_STREAM_ID
            handler = handlers.get(kind)
            if (
                handler is None
                or (kind == DATA and self._passes(stream_id, flags, length))
                or (length > _MOST_WHOLE_FRAME_BYTES and self._skips(kind, flags, stream_id))
            ):
                if stop > end:
                    self._passing_bytes = stop - end
                    at = end
                    break
                at = stop
                continue
            if stop > end:
                needed = stop - at
                break
            try:
                outcome = handler(flags, stream_id, data[start:stop])
            except FrameError:
                # The peer finds the same fault and ends the connection; the relay does not.
                self._blocks.give_up("strange_frame")
                outcome = Verdict.PASS
            if outcome is Verdict.PASS:
                at = stop
                if self._injected:
                    passed = self._inject_at(data, passed, at)
                continue
            if passed < at:
                self.out.append(data[passed:at])
            passed = at
            if outcome is Verdict.WAIT:
                break
            self.out.extend(outcome)
            passed = at = stop
        if passed < at:
            self.out.append(data[passed:at])
        if at < end:
            self._put_by(data[at:], needed)

    def _inject_at(self, data: bytes, passed: int, at: int) -> int:
        """Put in what waited for the end of a frame, if `at` is one; returns what has passed."""
        if not self._injected or not self.between_frames:
            return passed
        self.out.append(data[passed:at])
        self.out.extend(self._injected)
        self._injected.clear()
        return at

    def _skips(self, kind: int, flags: int, stream_id: int) -> bool:
        """Whether a frame is too long to wait for; only DATA is not."""
        if kind == DATA:
            return False
        self._blocks.give_up("oversized_frame")
        if kind in _BLOCK_FRAMES:
            self._blocks.skip(flags, stream_id)
        return True

    def _put_by(self, data: bytes, needed_bytes: int) -> None:
        self._stash.append(data)
        self._stashed_bytes = len(data)
        self._needed_bytes = needed_bytes

    def _take_stash(self) -> bytes:
        data = b"".join(self._stash)
        self._stash.clear()
        self._stashed_bytes = 0
        return data

    # --- frames that both directions know --------------------------------------------------------

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> Outcome:
        return self._take_block(self._blocks.headers(flags, stream_id, payload))

    def _on_push_promise(self, flags: int, stream_id: int, payload: bytes) -> Outcome:
        return self._take_block(self._blocks.push_promise(flags, stream_id, payload))

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> Outcome:
        return self._take_block(self._blocks.continuation(flags, stream_id, payload))

    def _take_block(self, complete: Block | None) -> Outcome:
        if complete is not None:
            stream_id, block, ends = complete
            fields = self._blocks.read(block, needed=self._must_read(stream_id))
            self._on_block(stream_id, fields, ends=ends)
        return Verdict.PASS

    def _on_settings(self, flags: int, _stream_id: int, payload: bytes) -> Outcome:
        if not flags & ACK:
            for identifier, value in settings_of(payload):
                if identifier == SETTINGS_HEADER_TABLE_SIZE:
                    self._opposite_decoder.allow_table(value)
                self._on_setting(identifier, value)
        return Verdict.PASS
