"""Times of records as numbers, quickly: the same as `domain.instant.unix_ns`."""

from __future__ import annotations

from typing import Final

from nsledger.domain.instant import unix_ns

_WRITTEN: Final = len("2026-11-24T00:03:50.123456789Z")
_TO_THE_SECOND: Final = len("2026-11-24T00:03:50")


class Times:
    """Reads times, most of which are of the second of the one before, as the daemon writes them."""

    def __init__(self) -> None:
        self._second = ""
        self._ns = 0

    def ns(self, text: str) -> int:
        """The Unix time, in nanoseconds, of an RFC 3339 time.

        Raises:
            NotAnInstantError: it is none.
        """
        if len(text) != _WRITTEN or text[-1] != "Z" or not text[20:-1].isdecimal():
            return unix_ns(text)
        if text[:_TO_THE_SECOND] != self._second:
            self._ns = unix_ns(text) - int(text[20:-1])
            self._second = text[:_TO_THE_SECOND]
        return self._ns + int(text[20:-1])
