"""Whether the wall clock may decide something that cannot be undone.

A wrong clock looks like any other: a battery that was pulled, a first boot without network, a
faulty time server. What was old by one reading of it may be of today. So it is believed only after
it went on evenly, beside the monotonic clock, for a day, and while the kernel says that somebody
keeps it right.

    trust = ClockTrust(now)
    if trust.look(clock.now()):
        ...  # remove what is too old

Source: adjtimex(2), clock_gettime(2).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

from nsledger.model.record import Moment
from nsledger.state.coverage import discontinuity

PROBATION_NS: Final = 24 * 3600 * 1_000_000_000
"""Of monotonic time, after the start of the daemon and after each step of the clock."""
_TIMEX_BYTES: Final = 512
"""More than struct timex has on any architecture; all zero, adjtimex(2) only reads."""
_TIME_ERROR: Final = 5
"""What adjtimex(2) answers of a clock that nobody sets (STA_UNSYNC)."""


def is_synchronised() -> bool:
    """Whether the kernel says that somebody keeps the wall clock right; False if it does not say.

    The first call costs a millisecond, the others a few microseconds.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    state: int = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= state < _TIME_ERROR


class ClockTrust:
    """What was seen of the clock since the daemon started; to be looked at every few seconds."""

    def __init__(self, synchronised: Callable[[], bool] = is_synchronised) -> None:
        """`synchronised` is what the kernel says of the clock."""
        self._synchronised = synchronised
        self._since: Moment | None = None
        self._last: Moment | None = None

    def look(self, at: Moment) -> bool:
        """Whether the clock is to be believed at `at`, the moment by both clocks."""
        if self._last is None or discontinuity(self._last, at) is not None:
            self._since = at
        self._last = at
        since = self._since or at
        return at.mono_ns - since.mono_ns >= PROBATION_NS and self._synchronised()
