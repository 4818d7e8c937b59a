"""What systemd is told: that the daemon serves, lives, leaves, and which process it is now.

One datagram per message to the socket that NOTIFY_SOCKET names. Without it, and whatever goes wrong
with it, nothing happens: nobody's call may depend on it.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Notifier:
    """Says things to the service manager, if there is one."""

    address: str = ""
    """Of its socket; empty if there is none. A leading `@` is Linux's abstract name space."""
    watchdog_s: float | None = None
    """How often to say that we live: half of what would be too seldom. None if nobody asks."""

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Self:
        """As the environment of process `pid` says."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        asked_us = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        if not asked_us.isdecimal() or not int(asked_us) or not meant:
            return cls(address)
        return cls(address, int(asked_us) / _US_PER_S / 2)

    def say(self, **assignments: str) -> None:
        """Send `NAME=value` for each, such as `READY="1"`. Never raises, never waits."""
        if not self.address:
            return
        address = self.address
        if address.startswith("@"):
            address = f"\0{address[1:]}"
        lines = "\n".join(f"{name}={value}" for name, value in assignments.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(lines.encode(errors="replace"), address)
        except OSError:
            return

    def alive(self) -> None:
        """The watchdog's message."""
        self.say(WATCHDOG="1")
