"""The calls in flight on one relayed connection: what both of its directions know and tell."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nsledger.relay.h2.bodies import CopiedResponse, UnreadableMessageError
from nsledger.relay.h2.counters import OTHER_PATHS, Counters

# What an interceptor wants to know of a relayed connection: the core's output beside bytes.
#
# The counterpart of `calls.Interceptor`: the relay turns each event into a call of the interceptor.


class RequestHeld(msgspec.Struct, frozen=True):
    """The request of a HOLD call is complete and waits for `release` or `refuse`."""

    stream_id: int
    path: str
    message: bytes


class RequestSeen(msgspec.Struct, frozen=True):
    """The request of a TAP call went through."""

    stream_id: int
    path: str
    message: bytes


class Answered(msgspec.Struct, frozen=True):
    """A call is over that a `RequestHeld` or `RequestSeen` stood for; comes once for each."""

    stream_id: int
    message: bytes | None
    grpc_status: int | None


class Overlooked(msgspec.Struct, frozen=True):
    """One call could not be watched."""

    reason: str
    path: str


class Unfollowed(msgspec.Struct, frozen=True):
    """From here on no new call of this connection can be watched; its bytes go on."""

    reason: str


Event = RequestHeld | RequestSeen | Answered | Overlooked | Unfollowed


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
        self.answers: dict[int, CopiedResponse] = {}
        self.events: list[Event] = []
        """What happened; whoever tells the interceptor empties the list."""

    def begin(self, stream_id: int, path: str | None) -> None:
        """A client opened a stream."""
        self.last_opened = stream_id
        self.open[stream_id] = path
        self.counters.in_flight += 1
        self.counters.count_call(path or OTHER_PATHS)

    def watch_answer(self, stream_id: int, path: str) -> None:
        """Follow the answer of a call whose request the interceptor gets to see."""
        self.answers[stream_id] = CopiedResponse(path, self.limits.copied_message_bytes)

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
        if answer.size:
            try:
                message = answer.message()
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
