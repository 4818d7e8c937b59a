"""Flow control towards the runtime, for the requests whose DATA the relay changes or keeps.

As long as every DATA frame passes unchanged, the client itself keeps to the runtime's windows and
nothing is to be done. Two things make its view of a window differ from the runtime's:

1. An annotated message is longer than the one that the client sent, so the runtime's window shrinks
   by more than the client knows.
2. While a held request is incomplete, the relay grants the client its window back, or a request
   longer than the window could never be complete. The runtime has granted nothing yet.

The difference is the *deficit*. WINDOW_UPDATEs of the runtime first pay the deficit and are kept
from the client; what is left passes on. Until then the client may send more than the runtime takes:
that DATA is queued here, and all other frames pass.

    pacer.defer(len(annotated) - len(original))   # bytes that the client does not know of
    if not pacer.consume(len(data_frame)):        # does another stream's DATA still fit?
        frames = pacer.send(stream_id, [payload], ends=False)   # queued; what fits is returned

Source: RFC 9113 sections 5.2 and 6.9.
"""

from __future__ import annotations

from collections import deque

from nsledger.relay.h2.frames import (
    DATA,
    END_STREAM,
    INITIAL_WINDOW_BYTES,
    SMALLEST_MAX_FRAME_BYTES,
    frame,
    frame_header,
)


class _Stream:
    """One stream whose DATA the relay frames itself."""

    __slots__ = ("chunks", "deficit", "ends", "window")

    def __init__(self, window: int | None) -> None:
        self.window = window
        """None where the client's view of the stream's window and the runtime's are the same."""
        self.deficit = 0
        self.chunks: deque[memoryview] = deque()
        self.ends = False
        """Whether the last of `chunks` ends the request."""


class Pacer:
    """The runtime's windows for requests, and the DATA that waits for them."""

    __slots__ = ("_initial_window", "_streams", "_waiting", "deficit", "queued_bytes", "window")

    def __init__(self) -> None:
        self.window = INITIAL_WINDOW_BYTES
        """Of the connection. Below zero only if the client sends more than it may."""
        self.deficit = 0
        """Bytes that the client may send on the connection and the runtime has not granted."""
        self.queued_bytes = 0
        self._initial_window = INITIAL_WINDOW_BYTES
        self._streams: dict[int, _Stream] = {}
        self._waiting: dict[int, _Stream] = {}
        """The streams that have something to send: a few of the hundreds that may be held."""

    def __contains__(self, stream_id: int) -> bool:
        """Whether DATA of the stream must come through `send`."""
        return stream_id in self._streams

    def waits(self, stream_id: int) -> bool:
        """Whether bytes of the stream are queued."""
        return stream_id in self._waiting

    def set_initial_window(self, size: int) -> None:
        """The runtime sent SETTINGS_INITIAL_WINDOW_SIZE: adjust the windows of followed streams."""
        change = size - self._initial_window
        self._initial_window = size
        for stream in self._streams.values():
            if stream.window is not None:
                stream.window += change

    def follow(self, stream_id: int) -> None:
        """Keep account of the window of a new stream whose DATA will not pass as it comes."""
        self._streams[stream_id] = _Stream(self._initial_window)

    def forget(self, stream_id: int) -> int:
        """Drop what waits of a stream that is over; returns how many bytes that were."""
        stream = self._streams.pop(stream_id, None)
        self._waiting.pop(stream_id, None)
        if stream is None:
            return 0
        dropped = sum(map(len, stream.chunks))
        self.queued_bytes -= dropped
        return dropped

    def defer(self, byte_count: int) -> int:
        """Keep from the client `byte_count` of what the runtime grants the connection next.

        A negative count lowers the deficit, since the runtime got less than the client sent.
        Returns how many bytes are to be granted to the client now: what the count exceeds the
        deficit by.
        """
        self.deficit += byte_count
        due = max(0, -self.deficit)
        self.deficit += due
        return due

    def defer_on_stream(self, stream_id: int, byte_count: int) -> None:
        """The same for a followed stream's own window."""
        self._streams[stream_id].deficit += byte_count

    def consume(self, byte_count: int) -> bool:
        """Take `byte_count` of the connection's window for a stream that is not followed.

        Returns False, and takes nothing, if it does not fit. Without a deficit it always fits: the
        client keeps to the window itself.
        """
        if byte_count > self.window and self.deficit:
            return False
        self.window -= byte_count
        return True

    def grant(self, increment: int, stream_id: int) -> int:
        """Take a WINDOW_UPDATE of the runtime; returns how much of it to pass to the client."""
        if not stream_id:
            self.window += increment
            kept = min(self.deficit, increment)
            self.deficit -= kept
            return increment - kept
        stream = self._streams.get(stream_id)
        if stream is None or stream.window is None:
            return increment
        stream.window += increment
        kept = min(stream.deficit, increment)
        stream.deficit -= kept
        return increment - kept

    def send(self, stream_id: int, data: list[bytes], *, ends: bool) -> list[bytes]:
        """Queue `data`; returns the frames that fit the runtime's windows now."""
        size = sum(map(len, data))
        if not self._waiting and ends and size <= SMALLEST_MAX_FRAME_BYTES and size <= self.window:
            # The common case: a whole request that fits one frame and every window.
            stream = self._streams.get(stream_id)
            if stream is None or stream.window is None or size <= stream.window:
                self.window -= size
                self._streams.pop(stream_id, None)
                return [frame_header(DATA, END_STREAM, stream_id, size), *data]
        self._queue(stream_id, b"".join(data), ends=ends)
        return self.take()

    def _queue(self, stream_id: int, data: bytes, *, ends: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _Stream(None)
        if data:
            stream.chunks.append(memoryview(data))
            self.queued_bytes += len(data)
        stream.ends = stream.ends or ends
        if stream.chunks or stream.ends:
            self._waiting[stream_id] = stream

    def take(self) -> list[bytes]:
        """The queued frames that fit the runtime's windows now: one of each stream in turn."""
        frames: list[bytes] = []
        moved = True
        while moved:
            moved = False
            for stream_id, stream in list(self._waiting.items()):
                next_frame = self._next_frame(stream_id, stream)
                if next_frame is not None:
                    frames.append(next_frame)
                    moved = True
        return frames

    def _next_frame(self, stream_id: int, stream: _Stream) -> bytes | None:
        payload = b""
        if stream.chunks:
            size = min(len(stream.chunks[0]), self.window, SMALLEST_MAX_FRAME_BYTES)
            if stream.window is not None:
                size = min(size, stream.window)
            if size <= 0:
                return None
            payload = self._cut(stream, size)
        ends = False
        if not stream.chunks:
            del self._waiting[stream_id]
            ends = stream.ends
            if ends or stream.window is None:
                del self._streams[stream_id]
        return frame(DATA, END_STREAM if ends else 0, stream_id, payload)

    def _cut(self, stream: _Stream, size: int) -> bytes:
        self.window -= size
        self.queued_bytes -= size
        if stream.window is not None:
            stream.window -= size
        chunk = stream.chunks.popleft()
        if size < len(chunk):
            stream.chunks.appendleft(chunk[size:])
        return bytes(chunk[:size])
