"""A call that waits for its watcher, as the watcher sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Release:
    """Let the request go on, with `message` in its place if there is one."""

    message: bytes | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Reset the stream on both sides."""


Decision = Release | Refuse


class RelayedCall:
    """Implements `calls.Call` and `calls.HeldCall`. Any thread may decide; the first one does."""

    __slots__ = ("_decide", "path", "received_mono_ns")

    def __init__(
        self, path: str, received_mono_ns: int, decide: Callable[[Decision], None]
    ) -> None:
        self.path: Final = path
        self.received_mono_ns: Final = received_mono_ns
        self._decide = decide

    def release(self, message: bytes | None) -> None:
        """Send the request on."""
        self._decide(Release(message))

    def refuse(self) -> None:
        """Reset the stream on both sides."""
        self._decide(Refuse())
