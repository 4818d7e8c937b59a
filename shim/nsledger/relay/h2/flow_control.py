"""How much DATA the runtime takes now, where its windows and the client's belief have parted.

As long as every DATA frame passes, a client that keeps to the runtime's windows is all it takes.
Two things part them. A held message leaves with another length than it came in; and the client of
an incomplete one gets its window back from the relay at once, since it could not go on otherwise.
The difference is the *deficit*: so much of the runtime's next WINDOW_UPDATEs is for bytes that the
client never sent, or was paid for already, and is kept from it. Until a deficit is paid, the client
may send more than the runtime takes: then DATA waits here, and everything else goes on.

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
        """None where the client's own view of the stream's window is the runtime's."""
        self.deficit = 0
        self.chunks: deque[memoryview] = deque()
        self.ends = False
        """Whether the last of `chunks` ends the request."""


class Pacer:
    """The runtime's windows for requests, and the DATA that waits for them."""

    __slots__ = ("_initial_window", "_streams", "_waiting", "deficit", "queued_bytes", "window")

    def __init__(self) -> None:
        self.window = INITIAL_WINDOW_BYTES
        """Of the connection; may fall below zero only by a client's own fault."""
        self.deficit = 0
        """Bytes that the client may send on the connection and the runtime has not granted."""
        self.queued_bytes = 0
        self._initial_window = INITIAL_WINDOW_BYTES
        self._streams: dict[int, _Stream] = {}
        self._waiting: dict[int, _Stream] = {}
        """Those of them that have something to send: a few, of hundreds that are held."""

    def __contains__(self, stream_id: int) -> bool:
        """Whether DATA of the stream must come through `send`."""
        return stream_id in self._streams

    def waits(self, stream_id: int) -> bool:
        """Whether bytes of the stream are queued."""
        return stream_id in self._waiting

    def set_initial_window(self, size: int) -> None:
        """SETTINGS_INITIAL_WINDOW_SIZE came from the runtime: it moves the followed windows."""
        change = size - self._initial_window
        self._initial_window = size
        for stream in self._streams.values():
            if stream.window is not None:
                stream.window += change

    def follow(self, stream_id: int) -> None:
        """A stream starts whose DATA will not pass as it comes: keep account of its window."""
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
        """Keep `byte_count` of what the runtime grants the connection next from the client.

        A negative count lowers the deficit: the runtime got less than the client has sent. Returns
        what is due to the client at once, where that is more than there was deficit.
        """
        self.deficit += byte_count
        due = max(0, -self.deficit)
        self.deficit += due
        return due

    def defer_on_stream(self, stream_id: int, byte_count: int) -> None:
        """The same for a followed stream's own window."""
        self._streams[stream_id].deficit += byte_count

    def consume(self, byte_count: int) -> bool:
        """Whether DATA of a stream that is not followed fits the connection, taken if so.

        Without a deficit it is the client's own business to keep to the window.
        """
        if byte_count > self.window and self.deficit:
            return False
        self.window -= byte_count
        return True

    def grant(self, increment: int, stream_id: int) -> int:
        """The runtime's WINDOW_UPDATE; returns how much of it is the client's."""
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
        """The frames that may go to the runtime now that there is `data` too; the rest waits."""
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
        """The frames that may go to the runtime now: streams take turns, a frame each."""
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
