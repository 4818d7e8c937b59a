"""The answer to `whois`: whose it is by the record, or that the record does not tell. No guess."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from nsledger.model.instants import ALWAYS, Period, is_future, unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.model.record import Record
from nsledger.query.targets import Named, Question, answers, names
from nsledger.state.coverage import Unwatched, Watch
from nsledger.state.intervals import Interval, Life, OwnerKind
from nsledger.state.ownership import Ownership


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
    """RFC 3339; None asks for all times, or for those from `since` to `until`."""
    since: str | None = None
    until: str | None = None
    outcome: Outcome
    reason: str
    """Why nobody is named, where the outcome is `unknown`."""
    intervals: tuple[Interval, ...]
    """By their beginning."""
    live: tuple[Life, ...] | None = None
    """Of each interval, whether it still holds; None if nobody looked."""
    unwatched: tuple[Unwatched, ...]
    """When nobody watched: all there were if nobody is named, else those in the time asked for."""
    first_time: str | None
    """Of the first record; before it nothing is known."""
    last_time: str | None


def find(
    records: Iterable[Record], question: Question, *, asked: str, period: Period = ALWAYS
) -> Answer:
    """Fold all records of a ledger into the answer. Memory O(running processes + answer)."""
    watch, holes = Watch(), list[Unwatched]()
    first_time = last_time = None

    def watched() -> Iterable[Record]:
        nonlocal first_time, last_time
        for record in records:
            first_time = first_time or record.time
            last_time = record.time
            hole = watch.apply(record)
            if hole is not None:
                holes.append(hole)
            yield record

    found = owners(watched(), question)
    return conclude(
        found,
        holes,
        asked=asked,
        period=period,
        first_time=first_time,
        last_time=last_time,
    )


def owners(records: Iterable[Record], question: Question) -> list[Interval]:
    """The intervals that `question` asks for, in the order they ended; the open ones last.

    `records` are in order; those that can have no influence on these intervals may be missing.
    """
    ownership, found, named = Ownership(), list[Interval](), set[str]()
    for record in records:
        named |= {names(question, record.event)} - {""}  # nobody's containers have no address
        found += (one for one in ownership.apply(record) if answers(question, one, named))
    found += (one for one in ownership.open_intervals() if answers(question, one, named))
    found = _without_wrong_ends(found)
    return _of_the_sandboxes(found) if isinstance(question, Named) else found


def conclude(
    found: Sequence[Interval],
    holes: Sequence[Unwatched],
    *,
    asked: str,
    period: Period,
    first_time: str | None,
    last_time: str | None,
) -> Answer:
    """The answer that all intervals found and all holes in the record make for `period`."""
    found = [one for one in found if period.meets(one.since, one.until)]
    if not period.is_always or not found:
        holes = [hole for hole in holes if period.meets(hole.since, hole.until)]
    else:
        holes = []
    return Answer(
        asked=asked,
        at=period.at,
        since=None if period.is_moment else period.since,
        until=None if period.is_moment else period.until,
        outcome=_outcome(found),
        reason="" if found else _why_unknown(holes, period, first_time, last_time),
        intervals=tuple(sorted(found, key=lambda one: (unix_ns(one.since), one.evidence))),
        unwatched=tuple(holes),
        first_time=first_time,
        last_time=last_time,
    )


def not_of_the_future(answer: Answer, *, now_ns: int) -> Answer:
    """The answer, or that nobody can know: the moment it is about has not come yet."""
    begins = answer.at or answer.since
    last_ns = 0 if answer.last_time is None else unix_ns(answer.last_time)
    if begins is None or not is_future(unix_ns(begins), last_ns=last_ns, now_ns=now_ns):
        return answer
    return replace(
        answer,
        outcome=Outcome.UNKNOWN,
        reason=f"{begins} has not come yet; the last record is of {answer.last_time}",
        intervals=(),
        live=None,
    )


def _without_wrong_ends(found: list[Interval]) -> list[Interval]:
    """Without an interval that a record ended wrongly, where a later record took that back."""
    longest: dict[tuple[str, str, NamespaceType, str], Interval] = {}
    for one in found:
        key = one.boot_id, one.owner.process_id, one.type, one.since
        other = longest.get(key)
        if other is None or (other.until is not None and _reaches(one, other)):
            longest[key] = one
    return [
        one
        for one in found
        if one is longest[one.boot_id, one.owner.process_id, one.type, one.since]
        or not one.identity.same_as(
            longest[one.boot_id, one.owner.process_id, one.type, one.since].identity
        )
    ]


def _reaches(one: Interval, other: Interval) -> bool:
    """Whether `one` is over no sooner than `other`, which has an end."""
    if one.until is None or other.until is None:
        return one.until is None
    return unix_ns(one.until) >= unix_ns(other.until)


def _of_the_sandboxes(found: list[Interval]) -> list[Interval]:
    """Without the containers that are somewhere else than their sandbox was seen."""
    sandboxes = [one for one in found if one.owner.kind is OwnerKind.SANDBOX]
    seen = {one.owner.pod.pod_sandbox_id for one in sandboxes}
    return [
        one
        for one in found
        if one.owner.pod.pod_sandbox_id not in seen
        or any(
            one.owner.pod.pod_sandbox_id == sandbox.owner.pod.pod_sandbox_id
            and one.identity.same_as(sandbox.identity)
            for sandbox in sandboxes
        )
    ]


def _outcome(found: Sequence[Interval]) -> Outcome:
    if not found:
        return Outcome.UNKNOWN
    if any(one.owner.kind is OwnerKind.HOST for one in found):
        return Outcome.HOST
    pods = {one.owner.pod.pod_sandbox_id for one in found}
    return Outcome.ONE_POD if len(pods) == 1 else Outcome.SEVERAL_PODS


def _why_unknown(
    holes: Sequence[Unwatched], period: Period, first_time: str | None, last_time: str | None
) -> str:
    if first_time is None or last_time is None:
        return "the ledger is empty"
    if period.until is not None and unix_ns(period.until) < unix_ns(first_time):
        return f"the ledger begins at {first_time}"
    if holes and not period.is_always:
        return f"nobody watched from {holes[0].since} to {holes[0].until}: {holes[0].reason}"
    if period.since is not None and unix_ns(period.since) > unix_ns(last_time):
        return f"no record; the last one is of {last_time}"
    return "no record"
