"""A watched call, as its watcher holds it: the one thing of the relay that other threads touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from nsledger.relay.link import Link


class Release(msgspec.Struct, frozen=True):
    """Send the request on, with `appended` behind its message."""

    appended: bytes = b""


class Refuse(msgspec.Struct, frozen=True):
    """Reset the call."""


Decision = Release | Refuse


class RelayedCall:
    """One call that the watcher was told of; see `nsledger.http2.calls.HeldCall`."""

    __slots__ = ("_decide", "decided", "link", "path", "received_mono_ns", "stream_id")

    def __init__(
        self,
        link: Link,
        stream_id: int,
        path: str,
        received_mono_ns: int,
        decide: Callable[[RelayedCall, Decision], None],
    ) -> None:
        """`decide` takes a decision from any thread and has it carried out on the relay's."""
        self.link = link
        self.stream_id = stream_id
        self.path = path
        self.received_mono_ns = received_mono_ns
        self.decided = False
        """Only the relay's thread writes and reads this."""
        self._decide = decide

    def release(self, appended: bytes = b"") -> None:
        """Send the request on, with `appended` behind its message."""
        self._decide(self, Release(appended))

    def refuse(self) -> None:
        """Reset the stream on both sides."""
        self._decide(self, Refuse())
