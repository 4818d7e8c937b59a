"""Which segments go: whole ones, the oldest first, never the two newest.

The newest is being written. The one before it stays so that the ledger always begins with a record.
Age is that of a segment's last record, which is no older than the first of the next one. Of those
that are too old only the oldest goes at a time: see `age_span_s`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from nsledger.ledger import place
from nsledger.ledger.reader import entries, ledger_id
from nsledger.model.events import LedgerPruned, PruneRule, Source
from nsledger.recorder.rotation import first_time_ns

_KEPT: Final = 2
_LONGEST_SPAN_S: Final = 3600.0
"""So that a shorter `retention_max_age_days` takes effect in days and not in months."""


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """What is kept; 0 is without a limit."""

    max_age_s: float = 0
    max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """One segment, the oldest first."""

    first_seq: int
    path: str
    size_bytes: int
    """On the disk."""
    first_time_ns: int | None
    """When its first record was made; None if that cannot be told."""


def choose(
    segments: Sequence[Closed], limits: RetentionLimits, *, now_ns: int, needed_bytes: int = 0
) -> tuple[int, PruneRule] | None:
    """How many of `segments`, all that there are, go, and by which rule; None if all stay.

    Args:
        segments: In order.
        limits: What is kept.
        now_ns: Unix time.
        needed_bytes: What has to be freed, whatever the limits are.
    """
    most = len(segments) - _KEPT
    if most <= 0:
        return None
    aged = min(1, _older(segments, now_ns - int(limits.max_age_s * 1e9)) if limits.max_age_s else 0)
    freed = list(accumulate(segment.size_bytes for segment in segments))
    excess = freed[-1] - limits.max_bytes if limits.max_bytes else 0
    counts = {
        PruneRule.MAX_AGE: aged,
        PruneRule.MAX_BYTES: _until(freed, excess),
        PruneRule.DISK: _until(freed, needed_bytes),
    }
    rule = max(counts, key=lambda rule: counts[rule])
    return (min(counts[rule], most), rule) if counts[rule] else None


def age_span_s(segments: Sequence[Closed]) -> float:
    """How long the oldest of `segments` was written for, in seconds, at most `_LONGEST_SPAN_S`.

    Time removes no more than time brings: after a segment went for its age, the next one does not
    before so much time has passed by the monotonic clock. A clock that is a year ahead, and
    believed, then takes an hour at a time and not a year.
    """
    first, second = segments[0].first_time_ns, segments[1].first_time_ns
    if first is None or second is None:
        return _LONGEST_SPAN_S
    return min(max(0.0, (second - first) / 1e9), _LONGEST_SPAN_S)


def found(path: str) -> list[Closed]:
    """The segments of the ledger at `path`.

    Raises:
        LedgerError: there is no ledger.
        OSError: it cannot be looked at.
    """
    return [
        Closed(
            first_seq=first_seq,
            path=segment,
            size_bytes=os.stat(segment).st_blocks * 512,
            first_time_ns=first_time_ns(segment),
        )
        for first_seq, segment in place.find(path).segments
    ]


def removal(path: str, segments: Sequence[Closed], count: int, rule: PruneRule) -> LedgerPruned:
    """The record that the first `count` of `segments` are removed.

    Raises:
        LedgerError: the first that is kept begins with no entry.
        OSError: it cannot be read.
    """
    first_kept = next(entries(segments[count].path))
    return LedgerPruned(
        source=Source.DAEMON,
        rule=rule,
        from_seq=segments[0].first_seq,
        through_seq=first_kept.seq - 1,
        digest=first_kept.prev,
        segments=count,
        size_bytes=sum(segment.size_bytes for segment in segments[:count]),
        ledger_id=ledger_id(path) or "",
    )


def _older(segments: Sequence[Closed], oldest_ns: int) -> int:
    """How many end before `oldest_ns`."""
    for count, (_, later) in enumerate(pairwise(segments)):
        if later.first_time_ns is None or later.first_time_ns >= oldest_ns:
            return count
    return max(0, len(segments) - 1)


def _until(freed: Sequence[int], needed_bytes: int) -> int:
    """How many have to go for `needed_bytes`; all, if they are not enough."""
    if needed_bytes <= 0:
        return 0
    return next((at for at, size in enumerate(freed, 1) if size >= needed_bytes), len(freed))
