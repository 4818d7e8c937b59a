"""Times of records as numbers, quickly: the same as `domain.instant.unix_ns`."""

from __future__ import annotations

from typing import Final

from nsledger.domain.instant import unix_ns

_WRITTEN: Final = len("2026-11-24T00:03:50.123456789Z")
_TO_THE_HOUR: Final = len("2026-11-24T00")
_BASE: Final = "{}:00:00Z"
_SIXTY: Final = 60
_NS: Final = 1_000_000_000


class Times:
    """Reads times, most of which are of the hour of the one before, as the daemon writes them."""

    def __init__(self) -> None:
        self._hour = ""
        self._ns = 0

    def ns(self, text: str) -> int:
        """The Unix time, in nanoseconds, of an RFC 3339 time.

        Raises:
            NotAnInstantError: it is none.
        """
        if len(text) != _WRITTEN or text[13] + text[16] + text[19] + text[29] != "::.Z":
            return unix_ns(text)
        minute, second, fraction = text[14:16], text[17:19], text[20:29]
        if not (minute + second + fraction).isdecimal() or not text.isascii():
            return unix_ns(text)
        minutes, seconds = int(minute), int(second)
        if minutes >= _SIXTY or seconds >= _SIXTY:
            return unix_ns(text)
        if text[:_TO_THE_HOUR] != self._hour:
            self._ns = unix_ns(_BASE.format(text[:_TO_THE_HOUR]))
            self._hour = text[:_TO_THE_HOUR]
        return self._ns + (_SIXTY * minutes + seconds) * _NS + int(fraction)
