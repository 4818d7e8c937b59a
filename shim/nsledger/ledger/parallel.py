"""Segments walked ahead on several cores, each as if what its first line claims were true.

Only an accelerator: whoever follows the chain takes a result where the claim proved right, and
walks the segment again where it did not or where anything was wrong. So what is found, and how it
is told, is the same on one core and on many.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nsledger.ledger import place
from nsledger.ledger.chain import Head
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.marks import Marks
from nsledger.ledger.walk import Walked, walk

_PAYS_BYTES: Final = 64 << 20
"""Less is walked before it could matter."""


@dataclass(frozen=True, slots=True)
class Early:
    """A segment that is sound if it follows `before`."""

    before: Head
    walked: Walked
    """`signed_through` is 0 where none of its own entries is marked."""
    size_bytes: int
    """On the disk."""


def walked_ahead(
    segments: Sequence[tuple[int, str]], marks: Marks, processes: int
) -> Iterator[Early | None]:
    """For each segment, in order: how its walk went, or None where it has to be walked again.

    It ends early where processes cannot be had. Closing it ends the processes. They are forked, so
    the caller should be a program's only thread.
    """
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor  # noqa: PLC0415 - costs 20 ms
    from multiprocessing import get_context  # noqa: PLC0415 - the same

    ends = [*(first_seq - 1 for first_seq, _ in segments[1:]), None]
    jobs = [
        (path, marks.within(first_seq - 1, end))
        for (first_seq, path), end in zip(segments, ends, strict=True)
    ]
    try:
        # A new interpreter would take longer to start than most ledgers take to walk.
        pool = ProcessPoolExecutor(
            min(processes, len(jobs)), mp_context=get_context("fork"), initializer=_leave_to_parent
        )
    except OSError:
        return
    try:
        yield from pool.map(_walk_alone, jobs)
    except (BrokenExecutor, OSError):
        return
    finally:
        pool.shutdown(cancel_futures=True)


def useful_processes(size_bytes: int) -> int:
    """How many processes pay for a ledger of that size on this machine; 1 is none beside ours."""
    return min(len(os.sched_getaffinity(0)), size_bytes // _PAYS_BYTES + 1)


def _leave_to_parent() -> None:
    """Ctrl-C reaches the whole group; the parent ends the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _walk_alone(job: tuple[str, Marks]) -> Early | None:
    path, marks = job
    told: list[int] = []
    try:
        before = place.find(path).before
        walked = walk(path, before, marks=marks, progress=told.append)
        return Early(before=before, walked=walked, size_bytes=sum(told))
    except (LedgerError, OSError):
        return None
