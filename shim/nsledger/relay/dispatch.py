"""Between the core and the interceptor: events told, decisions carried out, hold limits kept.

Whatever an interceptor does wrong is counted here and reaches no call.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

import msgspec

from nsledger.relay.buffering import BufferingInterceptor
from nsledger.relay.connection import Link
from nsledger.relay.h2.calls import Interceptor, Treatment
from nsledger.relay.h2.counters import Counters
from nsledger.relay.h2.streams import (
    Answered,
    Event,
    Overlooked,
    RequestHeld,
    RequestSeen,
    Unfollowed,
)

if TYPE_CHECKING:
    from nsledger.relay.connection import Link


class Release(msgspec.Struct, frozen=True):
    """Send the request on, with `appended` behind its message."""

    appended: bytes = b""


class Refuse(msgspec.Struct, frozen=True):
    """Reset the call."""


Decision = Release | Refuse


class RelayedCall:
    """One call that the interceptor was told of; see `nsledger.relay.h2.calls.HeldCall`."""

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


FailurePolicy = Literal["ignore", "fail"]
"""What becomes of a call that cannot be watched: it passes, or it is refused."""


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """Bounds of time and memory; nothing here changes what passes untouched."""

    hold_limit_s: float = 0.1
    """The longest that a complete request waits for its interceptor."""
    failure_policy: FailurePolicy = "ignore"
    dial_limit_s: float = 2.0
    """The longest that an accepted connection waits for a runtime that is not there."""
    held_message_bytes: int = 16 << 20
    """A longer request is not held (the runtime's own limit is 16 MiB)."""
    held_bytes: int = 64 << 20
    """Of all held requests of one connection."""
    copied_message_bytes: int = 4 << 20
    """A longer answer, or tapped request, is not copied."""


class Dispatcher:
    """The calls of all links that the interceptor was told of and that are not over."""

    def __init__(
        self,
        interceptor: Interceptor,
        counters: Counters,
        options: RelayOptions,
        wake: Callable[[], None],
    ) -> None:
        """`wake` has the relay's thread call `carry_out` soon."""
        self._interceptor = interceptor
        self._counters = counters
        self._fails = options.failure_policy == "fail"
        self._hold_limit_ns = int(options.hold_limit_s * 1e9)
        self._wake = wake
        self._calls: dict[tuple[Link, int], RelayedCall] = {}
        self._holds: deque[tuple[int, RelayedCall]] = deque()
        """Held calls and their deadlines, in their order."""
        self._decisions: deque[tuple[RelayedCall, Decision]] = deque()
        self._unsettled: dict[Link, None] = {}
        """Links whose core has something to send since a decision."""
        self._late = interceptor if isinstance(interceptor, BufferingInterceptor) else None
        if self._late is not None:
            self._late.on_arrival(wake)

    def treatment(self, path: str) -> Treatment | None:
        """What the interceptor wants of calls of `path`."""
        try:
            return self._interceptor.treatment(path)
        except Exception:  # noqa: BLE001  # an interceptor must not hurt a call, whatever it raises
            self._overlooked("watcher_error", path)
            return None

    def tell(self, link: Link, event: Event) -> None:
        """Pass on one event of the link's connection."""
        match event:
            case RequestHeld():
                call = self._begin(link, event.stream_id, event.path)
                self._holds.append((call.received_mono_ns + self._hold_limit_ns, call))
                if not self._told(self._interceptor.request_held, call, event.message):
                    self._decide(call, self._fallback())
                self._apply_decisions()
                self._unsettled.pop(link, None)  # whoever tells this settles it
            case RequestSeen():
                call = self._begin(link, event.stream_id, event.path)
                self._told(self._interceptor.request_seen, call, event.message)
            case Answered():
                call = self._calls.pop((link, event.stream_id))
                call.decided = True
                self._told(self._interceptor.answered, call, event.message, event.grpc_status)
            case Overlooked():
                self._overlooked(event.reason, event.path)
            case Unfollowed():
                self._overlooked(event.reason, None)
            case _:
                assert_never(event)

    @property
    def next_deadline_ns(self) -> int | None:
        """When the first hold limit is over; as long as the interceptor is to come, none is."""
        while self._holds and self._holds[0][1].decided:
            self._holds.popleft()
        return self._holds[0][0] if self._holds and self._late is None else None

    def carry_out(self, now_ns: int) -> None:
        """Do what was decided, and decide where the limit is over."""
        if self._late is not None and self._late.arrived is not None:
            self._welcome(self._late, self._late.arrived, now_ns)
        self._apply_decisions()
        while (deadline_ns := self.next_deadline_ns) is not None and deadline_ns <= now_ns:
            _, late = self._holds.popleft()
            self._overlooked("hold_limit", late.path)
            self._apply(late, self._fallback())
        while self._unsettled:
            link, _ = self._unsettled.popitem()
            self._settle(link)

    def give_up(self, link: Link) -> None:
        """Close a connection on which the relay itself went wrong."""
        self._overlooked("relay_error", None)
        link.close()

    def _welcome(self, late: BufferingInterceptor, interceptor: Interceptor, now_ns: int) -> None:
        """The interceptor is there: tell it what it missed."""
        self._late, self._interceptor = None, interceptor
        limit_ns = now_ns + self._hold_limit_ns
        self._holds = deque((limit_ns, call) for _, call in self._holds)
        for tell in late.kept:
            try:
                tell(interceptor)
            except Exception:  # noqa: BLE001  # as in `_told`; the hold limit lets its call go
                self._overlooked("watcher_error", None)

    def _begin(self, link: Link, stream_id: int, path: str) -> RelayedCall:
        call = RelayedCall(link, stream_id, path, time.monotonic_ns(), self._decide_anywhere)
        self._calls[link, stream_id] = call
        return call

    def _fallback(self) -> Decision:
        return Refuse() if self._fails else Release()

    def _decide(self, call: RelayedCall, decision: Decision) -> None:
        self._decisions.append((call, decision))

    def _decide_anywhere(self, call: RelayedCall, decision: Decision) -> None:
        self._decide(call, decision)
        self._wake()

    def _apply_decisions(self) -> None:
        while self._decisions:
            call, decision = self._decisions.popleft()
            self._apply(call, decision)

    def _apply(self, call: RelayedCall, decision: Decision) -> None:
        """Have the core carry a decision out; its link is settled once for all of them."""
        if call.decided:
            return
        call.decided = True
        self._unsettled[call.link] = None
        try:
            match decision:
                case Release():
                    call.link.core.release(call.stream_id, decision.appended)
                case Refuse():
                    call.link.core.refuse(call.stream_id)
                case _:
                    assert_never(decision)
        except Exception:  # noqa: BLE001  # one connection's fault must not end the others
            self.give_up(call.link)

    def _settle(self, link: Link) -> None:
        try:
            if not link.closed:
                link.settle()
        except Exception:  # noqa: BLE001  # one connection's fault must not end the others
            self.give_up(link)

    def _told(self, tell: Callable[..., None], call: RelayedCall, *facts: object) -> bool:
        try:
            tell(call, *facts)
        except Exception:  # noqa: BLE001  # an interceptor must not hurt a call, whatever it raises
            self._overlooked("watcher_error", call.path)
            return False
        return True

    def _overlooked(self, reason: str, path: str | None) -> None:
        self._counters.count_overlooked(reason)
        try:
            self._interceptor.overlooked(reason, path)
        except Exception:  # noqa: BLE001  # counted above, and there is nobody else to tell
            self._counters.count_overlooked("watcher_error")
