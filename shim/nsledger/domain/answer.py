"""The answer to `whois`: whose it is by the record, or that the record does not tell. No guess."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec

from nsledger.domain.instant import unix_ns
from nsledger.domain.interval import Interval, OwnerKind
from nsledger.domain.ownership import Ownership
from nsledger.domain.question import Question, answers
from nsledger.domain.record import Record
from nsledger.domain.unwatched import Unwatched, Watch


class Outcome(enum.StrEnum):
    """What kind of answer it is."""

    HOST = "host"
    """The node's own; pods may sit in it."""
    ONE_POD = "one_pod"
    SEVERAL_PODS = "several_pods"
    """One after the other, or, where the record cannot tell them apart, at once."""
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """To one question, from all records of one ledger."""

    asked: str
    at: str | None
    """RFC 3339; None asks for all times."""
    outcome: Outcome
    reason: str
    """Why nobody is named, where the outcome is `unknown`."""
    intervals: tuple[Interval, ...]
    """By their beginning."""
    unwatched: tuple[Unwatched, ...]
    """When nobody watched: all there were if nobody is named, else those in the time asked for."""
    first_time: str | None
    """Of the first record; before it nothing is known."""
    last_time: str | None


def find(
    records: Iterable[Record], question: Question, *, asked: str, at: str | None = None
) -> Answer:
    """Fold all records of a ledger into the answer. Memory O(running processes + answer)."""
    ownership, watch = Ownership(), Watch()
    found: list[Interval] = []
    holes: list[Unwatched] = []
    first_time = last_time = None
    for record in records:
        first_time = first_time or record.time
        last_time = record.time
        found += (ended for ended in ownership.apply(record) if answers(question, ended))
        hole = watch.apply(record)
        if hole is not None:
            holes.append(hole)
    found += (still for still in ownership.open_intervals() if answers(question, still))
    if at is not None:
        found = [one for one in found if _covers(one.since, one.until, at)]
        holes = [hole for hole in holes if _covers(hole.since, hole.until, at)]
    elif found:
        holes = []
    return Answer(
        asked=asked,
        at=at,
        outcome=_outcome(found),
        reason="" if found else _why_unknown(holes, at, first_time, last_time),
        intervals=tuple(sorted(found, key=lambda one: (unix_ns(one.since), one.evidence))),
        unwatched=tuple(holes),
        first_time=first_time,
        last_time=last_time,
    )


def _covers(since: str, until: str | None, at: str) -> bool:
    moment = unix_ns(at)
    return unix_ns(since) <= moment and (until is None or moment < unix_ns(until))


def _outcome(found: list[Interval]) -> Outcome:
    if not found:
        return Outcome.UNKNOWN
    if any(one.owner.kind is OwnerKind.HOST for one in found):
        return Outcome.HOST
    pods = {one.owner.pod.pod_sandbox_id for one in found}
    return Outcome.ONE_POD if len(pods) == 1 else Outcome.SEVERAL_PODS


def _why_unknown(
    holes: list[Unwatched], at: str | None, first_time: str | None, last_time: str | None
) -> str:
    if first_time is None or last_time is None:
        return "the ledger is empty"
    if at is not None and unix_ns(at) < unix_ns(first_time):
        return f"the ledger begins at {first_time}"
    if at is not None and holes:
        return f"nobody watched from {holes[0].since} to {holes[0].until}: {holes[0].reason}"
    if at is not None and unix_ns(at) > unix_ns(last_time):
        return f"no record; the last one is of {last_time}"
    return "no record"
