"""What a watcher wants to know of a relayed connection: the core's output beside bytes.

The counterpart of `calls.Watcher`: the relay turns each event into a call of the watcher.
"""

from __future__ import annotations

import msgspec


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
