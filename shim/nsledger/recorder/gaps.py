"""What is missing from the ledger and not said there yet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from nsledger.model.events import Gap, Source
from nsledger.model.record import Moment, rfc3339


@dataclass(slots=True)
class _Missed:
    first: Moment
    last: Moment
    count: int
    detail: str


class GapTally:
    """Adds up what was missed, one gap per reason. Both methods may be called from any thread."""

    def __init__(self, now: Callable[[], Moment]) -> None:
        self.totals: Counter[str] = Counter()
        """What was missed since the start, by reason."""
        self._now = now
        self._lock = threading.Lock()
        self._missed: dict[str, _Missed] = {}

    @property
    def pending(self) -> int:
        """How many missing things are not in a taken gap yet."""
        with self._lock:
            return sum(missed.count for missed in self._missed.values())

    def add(self, reason: str, count: int, detail: str) -> bool:
        """Count them; whether it is the first of its reason since the last `take`."""
        at = self._now()
        with self._lock:
            self.totals[reason] += count
            missed = self._missed.get(reason)
            if missed is None:
                self._missed[reason] = _Missed(first=at, last=at, count=count, detail=detail)
                return True
            missed.last = at
            missed.count += count
            missed.detail = detail or missed.detail
            return False

    def take(self) -> list[Gap]:
        """The gaps added up so far, to be written by the caller."""
        with self._lock:
            taken, self._missed = self._missed, {}
        return [
            Gap(
                source=Source.DAEMON,
                reason=reason,
                count=missed.count,
                first_time=rfc3339(missed.first.time_ns),
                last_time=rfc3339(missed.last.time_ns),
                detail=missed.detail,
            )
            for reason, missed in taken.items()
        ]
