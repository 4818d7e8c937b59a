"""The time that a question is about: a moment, a span, or all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from nsledger.domain.instant import unix_ns


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
