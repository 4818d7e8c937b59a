"""Times of records as numbers, quickly: the same as `domain.instant.unix_ns`."""

from __future__ import annotations

from typing import Final

from nsledger.domain.instant import unix_ns

_WRITTEN: Final = len("2026-11-24T00:03:50.123456789Z")
_TO_THE_MINUTE: Final = len("2026-11-24T00:03:")
_BASE: Final = "{}00Z"
_SIXTY: Final = "6"
"""Seconds of two digits from here on are none, by their first."""


class Times:
    """Reads times, many of which are of the minute of the one before, as the daemon writes them."""

    def __init__(self) -> None:
        self._minute = ""
        self._ns = 0

    def ns(self, text: str) -> int:
        """The Unix time, in nanoseconds, of an RFC 3339 time.

        Raises:
            NotAnInstantError: it is none.
        """
        digits = text[17:19] + text[20:29]
        if (
            len(text) != _WRITTEN
            or text[19] != "."
            or text[29] != "Z"
            or not digits.isdecimal()
            or not digits.isascii()
            or digits >= _SIXTY
        ):
            return unix_ns(text)
        if text[:_TO_THE_MINUTE] != self._minute:
            self._ns = unix_ns(_BASE.format(text[:_TO_THE_MINUTE]))
            self._minute = text[:_TO_THE_MINUTE]
        return self._ns + int(digits)  # of nanoseconds, as the seconds stand before nine digits
