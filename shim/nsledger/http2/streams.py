"""The calls in flight on one relayed connection: what both of its directions know and tell."""

from __future__ import annotations

from dataclasses import dataclass

from nsledger.http2.counters import OTHER_PATHS, Counters
from nsledger.http2.events import Answered, Event, Overlooked, Unfollowed
from nsledger.http2.messages import (
    PREFIX_BYTES,
    UnreadableMessageError,
    announced_bytes,
    only_message,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take of the relay's memory, and what is done beyond it."""

    held_message_bytes: int = 16 << 20
    """A longer request goes through unheld (the runtime's own limit is 16 MiB)."""
    held_bytes: int = 64 << 20
    """Of all requests that are held or wait for the runtime's windows."""
    copied_message_bytes: int = 4 << 20
    """A longer answer, or tapped request, is not copied."""
    refuse_unwatchable: bool = False
    """Reset a call that should be held and cannot be, instead of letting it pass."""


class BodyCopy:
    """The DATA of one direction of one stream, as long as it stays within its limit."""

    __slots__ = ("chunks", "limit_bytes", "size")

    def __init__(self, limit_bytes: int) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.limit_bytes = limit_bytes

    def add(self, data: bytes) -> None:
        """The next bytes."""
        self.size += len(data)
        if self.size > self.limit_bytes:
            self.chunks.clear()
        else:
            self.chunks.append(data)

    def message(self) -> bytes:
        """The one message that the bytes are.

        Raises:
            UnreadableMessageError: they are not, or were too many.
        """
        if self.size > self.limit_bytes:
            raise UnreadableMessageError("oversized")
        return only_message(b"".join(self.chunks))


class HeldBody:
    """The DATA of a held request: as much of it as has come."""

    __slots__ = ("_announced_bytes", "_chunks", "complete", "size", "unpaid_bytes")

    def __init__(self) -> None:
        self.size = 0
        self.complete = False
        self.unpaid_bytes = 0
        """What the client spent of its window for it, and was not given back."""
        self._chunks: list[bytes] = []
        self._announced_bytes: int | None = None

    def add(self, data: bytes, *, ends: bool) -> None:
        """The next bytes."""
        self._chunks.append(data)
        self.size += len(data)
        self.complete = ends

    def joined(self) -> bytes:
        """All bytes."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def check(self, limit_bytes: int) -> None:
        """See that the bytes are, or may become, one plain message that is not too long.

        Raises:
            UnreadableMessageError: they are not, with the reason.
        """
        if self._announced_bytes is None:
            self._announced_bytes = announced_bytes(self.joined())
        missing = None
        if self._announced_bytes is not None:
            if self._announced_bytes > limit_bytes:
                raise UnreadableMessageError("oversized")
            missing = self._announced_bytes + PREFIX_BYTES - self.size
        if (missing is not None and missing < 0) or (self.complete and missing != 0):
            raise UnreadableMessageError("malformed")


class WatchedAnswer:
    """What is known so far of the answer to a call that a watcher follows."""

    __slots__ = ("body", "grpc_status", "path")

    def __init__(self, path: str, limit_bytes: int) -> None:
        self.path = path
        self.body = BodyCopy(limit_bytes)
        self.grpc_status: int | None = None


class Streams:
    """The streams of one connection."""

    def __init__(self, counters: Counters, limits: Limits) -> None:
        self.counters = counters
        self.limits = limits
        self.open: dict[int, str | None] = {}
        """Streams that the runtime has not ended, with their path if it could be read."""
        self.last_opened: int = 0
        """The highest stream the client has opened; identifiers only rise."""
        self.unfollowed = False
        """Whether header blocks of one direction can no longer be read."""
        self.answers: dict[int, WatchedAnswer] = {}
        self.events: list[Event] = []
        """What happened; whoever tells the watcher empties the list."""

    def begin(self, stream_id: int, path: str | None) -> None:
        """A client opened a stream."""
        self.last_opened = stream_id
        self.open[stream_id] = path
        self.counters.in_flight += 1
        self.counters.count_call(path or OTHER_PATHS)

    def watch_answer(self, stream_id: int, path: str) -> None:
        """Follow the answer of a call whose request the watcher gets to see."""
        self.answers[stream_id] = WatchedAnswer(path, self.limits.copied_message_bytes)

    def end(self, stream_id: int, *, reset: bool = False) -> None:
        """The runtime has answered, or somebody reset the stream."""
        if stream_id in self.open:
            del self.open[stream_id]
            self.counters.in_flight -= 1
        answer = self.answers.pop(stream_id, None)
        if answer is None:
            return
        if reset:
            self.events.append(Answered(stream_id, None, None))
            return
        message = None
        if answer.body.size:
            try:
                message = answer.body.message()
            except UnreadableMessageError as error:
                self.overlook(f"answer_{error.reason}", answer.path)
        self.events.append(Answered(stream_id, message, answer.grpc_status))

    def overlook(self, reason: str, path: str) -> None:
        """Something of a call cannot be watched."""
        self.events.append(Overlooked(reason, path))

    def unfollow(self, reason: str) -> None:
        """No new call of the connection can be watched."""
        self.unfollowed = True
        self.events.append(Unfollowed(reason))

    def close(self) -> None:
        """The connection is gone, and with it every call."""
        for stream_id in [*self.open, *self.answers]:
            self.end(stream_id, reset=True)
