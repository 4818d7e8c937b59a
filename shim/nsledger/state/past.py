"""The node at one moment, as far as its records tell.

Records are taken in up to the last one that was written by then, whatever a clock that was set did
to the times between. Two things that were written later belong to that moment all the same: what a
hook saw before and the spool held back, and that nobody was watching.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nsledger.errors import NsledgerError
from nsledger.model.events import (
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    PodAssigned,
    PodStopped,
)
from nsledger.model.instants import unix_ns
from nsledger.model.record import Record
from nsledger.state.coverage import Unwatched, Watch
from nsledger.state.pods import Workloads


@dataclass(frozen=True, slots=True)
class Past:
    """What the records add up to, now or then."""

    workloads: Workloads
    at: str | None
    """RFC 3339; None is the last record."""
    unwatched: tuple[Unwatched, ...]
    """When nobody watched, if `at` is in it: what is told is as it was before."""
    last_seq: int
    """Number of the last record that was written by then; 0 if there is none."""


class NothingYetError(NsledgerError):
    """The moment is before the first record."""

    hint = "Before its first record a ledger knows nothing, not even that nothing was there."

    def __init__(self, *, at: str, first_time: str) -> None:
        super().__init__(f"found a first record of {first_time}, needed one of {at} or before")
        self.at, self.first_time = at, first_time


class NotYetError(NsledgerError):
    """The moment is in the future."""

    hint = "Without --at, the answer is of the last record."

    def __init__(self, *, at: str, now: str) -> None:
        super().__init__(f"found {at}, needed a moment that has been; it is {now} now")
        self.at = at


def last_seq_at(newest_first: Iterable[Record], at: str) -> int:
    """The sequence number of the last record that was written by `at`; 0 if none was."""
    at_ns = unix_ns(at)
    return next((one.seq for one in newest_first if unix_ns(one.time) <= at_ns), 0)


def now(records: Iterable[Record]) -> Past:
    """What all `records` add up to."""
    workloads, last_seq = Workloads(), 0
    for record in records:
        workloads.apply_record(record)
        last_seq = record.seq
    return Past(workloads, None, (), last_seq)


def as_of(records: Iterable[Record], *, at: str, last_seq: int) -> Past:
    """What was so at `at`, by all `records` of a ledger; `last_seq` is the answer of `last_seq_at`.

    Raises:
        NothingYetError: the ledger begins after `at`.
    """
    at_ns = unix_ns(at)
    workloads, watch = Workloads(), Watch()
    holes: list[Unwatched] = []
    last: Record | None = None
    latest_ns = 0
    boot_id = ""
    for record in records:
        if last is None and not last_seq:
            raise NothingYetError(at=at, first_time=record.time)
        hole = watch.apply(record)
        if hole is not None:
            holes.append(hole)
        if record.seq <= last_seq:
            workloads.apply_record(record)
            boot_id = record.boot_id
        elif record.boot_id == boot_id and _was_seen_by(record, at_ns, workloads):
            workloads.apply_record(record)
        last = record
        latest_ns = max(latest_ns, unix_ns(record.time))
    if watch.stopped is not None:
        reason = "nsledger serve was stopped"
        holes.append(Unwatched(watch.stopped.time, at, reason, (watch.stopped.seq,)))
    elif last is not None and latest_ns < at_ns:
        reason = "the record ends: nothing in it tells whether somebody watched on"
        holes.append(Unwatched(last.time, at, reason, (last.seq,)))
    covering = tuple(hole for hole in holes if _covers(hole, at_ns))
    return Past(workloads, at, covering, last_seq)


def _was_seen_by(record: Record, at_ns: int, workloads: Workloads) -> bool:
    """Whether it was so by then, and its record came into the ledger later.

    A hook saw it, and the spool held its record back; its end was dated later; or what had wrongly
    been put on record as ended was found to run on.
    """
    event = record.event
    if isinstance(event, ContainerStarted) and event.still_running:
        return workloads.container(event.container.container_id) is not None
    if isinstance(event, ContainerStopped | PodStopped) and event.ended_at:
        return unix_ns(event.ended_at) <= at_ns
    if isinstance(event, PodAssigned) and event.still_running:
        return event.pod.pod_sandbox_id in workloads.pods
    return (
        isinstance(event, ContainerWitnessed)
        and bool(event.hook_time)
        and unix_ns(event.hook_time) <= at_ns
    )


def _covers(hole: Unwatched, at_ns: int) -> bool:
    return unix_ns(hole.since) <= at_ns <= unix_ns(hole.until)
