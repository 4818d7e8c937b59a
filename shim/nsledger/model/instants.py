"""A record's time as a number, to compare moments that were not written alike.

The daemon writes nanoseconds, the hook's record may carry less; as text they do not compare.

Source: RFC 3339, section 5.6.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from nsledger.errors import NsledgerError

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
).fullmatch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NotAnInstantError(NsledgerError):
    """A text that names no moment."""

    def __init__(self, *, text: str) -> None:
        super().__init__(f"found {text[:40]!r}, needed a time such as 2026-11-24T00:03:50Z")
        self.text = text


def unix_ns(text: str) -> int:
    """The Unix time, in nanoseconds, of an RFC 3339 time; of `text` without a zone there is none.

    Raises:
        NotAnInstantError: it is none.
    """
    parts = _RFC3339(text)
    if parts is None:
        raise NotAnInstantError(text=text)
    date, clock, fraction, zone = parts.groups()
    try:
        seconds = _seconds(date, clock, zone)
    except ValueError as error:
        raise NotAnInstantError(text=text) from error
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


@functools.lru_cache(maxsize=16)
def _seconds(date: str, clock: str, zone: str) -> int:
    """Neighbouring records are of one second, mostly."""
    since = datetime.fromisoformat(f"{date}T{clock}{zone.upper()}") - _EPOCH
    return since.days * 86_400 + since.seconds


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to before `until`, both RFC 3339; None leaves that side open.

    Where both are one moment, that moment is in it.
    """

    since: str | None = None
    until: str | None = None

    @classmethod
    def moment(cls, at: str) -> Self:
        """The moment `at` alone."""
        return cls(at, at)

    @property
    def is_moment(self) -> bool:
        """Whether it is one moment."""
        return self.since is not None and self.since == self.until

    @property
    def is_always(self) -> bool:
        """Whether it has neither beginning nor end."""
        return self.since is None and self.until is None

    @property
    def at(self) -> str | None:
        """The moment, if it is one."""
        return self.since if self.is_moment else None

    def meets(self, since: str, until: str | None) -> bool:
        """Whether something that began at `since` and was over by `until` was there in it."""
        begun = unix_ns(since)
        if self.until is not None:
            end = unix_ns(self.until)
            if begun > end or (begun == end and not self.is_moment):
                return False
        return self.since is None or until is None or unix_ns(until) > unix_ns(self.since)


ALWAYS: Final = Period()

FUTURE_SLACK_NS: Final = 5_000_000_000
"""By how much the clocks of two programs of one node, or of a moment ago, may differ."""


def is_future(at_ns: int, *, last_ns: int, now_ns: int) -> bool:
    """Whether `at_ns` is later than anything that can be known: than now, and the last record."""
    return at_ns > max(last_ns, now_ns) + FUTURE_SLACK_NS
