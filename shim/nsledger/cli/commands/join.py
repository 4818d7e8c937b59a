"""`nsledger join`: add pod and container to JSON lines of other tools."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, cast

import click
import msgspec
from msgspec.structs import replace

from nsledger import bounds
from nsledger.cli import exit_codes, options
from nsledger.cli.reading import FreshReading, reading
from nsledger.index.records import Records
from nsledger.model.instants import ALWAYS, FUTURE_SLACK_NS, Period, unix_ns
from nsledger.model.record import rfc3339
from nsledger.model.refs import ContainerRef
from nsledger.query import foreign_events
from nsledger.query.foreign_events import EventTime
from nsledger.query.index_lookup import answer
from nsledger.query.targets import Question
from nsledger.query.whois import Answer, Outcome, not_of_the_future
from nsledger.render.text import visible
from nsledger.state.intervals import Interval, OwnerKind

_HELP = """\
Add pod and container to JSON lines of other tools, by namespace and time.

Reads events on standard input, one JSON object a line, as Tetragon, Inspektor Gadget, Tracee and
Falco write them, and writes them with one more key, nsledger: whose it was at the time of the
event, by which value of it, or why that is unknown. --key names the value in other events: an
inode, a namespace id, or anything that whois takes.

A line that is no JSON object goes through as it is, with a note on standard error.
"""


_PIECE_BYTES: Final = 1 << 16
_REST_S: Final = 0.2
_SETTLED_NS: Final = 2_500_000_000
"""Of an event that is younger the record may be on its way: the hook's waits up to two seconds."""
_LOOK_AGAIN_S: Final = 0.1
_INTERVALS_LIMIT: Final = 64
"""Of so many owners the time since boot is held against their records; each is read for it."""


class Joined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is added to an event."""

    outcome: Outcome
    by: str = ""
    """The place in the event that told."""
    reason: str = ""
    """Why nobody is named."""
    k8s_namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    pod_sandbox_id: str = ""
    container: str = ""
    """Empty where all that is known is the pod."""
    container_id: str = ""
    pods: tuple[str, ...] = ()
    """All that it may be, where that is more than one."""
    records: tuple[int, ...] = ()
    """Sequence numbers of the entries that prove it."""


class JoinedEvent(msgspec.Struct, frozen=True):
    """What a line of output has beside the event's own keys."""

    nsledger: Joined


def run(*, ledger: str, key: str | None, time_key: str | None) -> int:
    """Join standard input with the ledger at `ledger`; the exit status."""
    number = 0
    with reading(ledger) as history:
        index = FreshReading(history)
        index.ask(lambda _: None)  # where there is no ledger, that is said before anything comes
        for line in _lines(sys.stdin.fileno()):
            if line is None:
                index.rest()
                continue
            number += 1
            try:
                bounds.check(
                    line, most_bytes=bounds.FOREIGN_EVENT_BYTES, depth=bounds.FOREIGN_EVENT_DEPTH
                )
                event = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
                _pass_on(line, number, str(error))
                continue
            if not isinstance(event, dict):
                _pass_on(line, number, "needed a JSON object")
                continue
            told = cast("dict[str, Any]", event)
            joined = _join_when_settled(told, index, key, time_key)
            sys.stdout.buffer.write(msgspec.json.encode({**told, "nsledger": joined}) + b"\n")
            sys.stdout.buffer.flush()
    return history.status(exit_codes.OK)


def _lines(descriptor: int) -> Iterator[bytes | None]:
    """The lines that come in at `descriptor`, and None when none has come for a while."""
    pieces: list[bytes] = []
    too_long = False
    while True:
        if not select.select([descriptor], [], [], _REST_S)[0]:
            yield None
            select.select([descriptor], [], [])
        piece = os.read(descriptor, _PIECE_BYTES)
        if not piece:
            break
        first, newline, rest = piece.partition(b"\n")
        pieces.append(first + newline)
        if too_long or (not newline and sum(map(len, pieces)) > bounds.FOREIGN_EVENT_BYTES):
            # Of one event that is too long, nothing more is kept; it goes through as it comes.
            if not too_long:
                yield b"".join(pieces)
            else:
                sys.stdout.buffer.write(pieces[-1])
            pieces, too_long = [], not newline
        if newline:
            if pieces:
                yield b"".join(pieces)
            *whole, last = rest.split(b"\n")
            yield from (line + newline for line in whole)
            pieces = [last]
    if any(pieces):
        yield b"".join(pieces)


def _pass_on(line: bytes, number: int, reason: str) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    sys.stderr.write(f"nsledger: line {number} goes through as it is: {visible(reason)}\n")


def _join_when_settled(
    event: dict[str, Any], index: FreshReading, key: str | None, time_key: str | None
) -> Joined:
    """Whose the event is; of one that has just happened, unknown only after a moment's wait."""
    latest_ns = max(time.time_ns(), index.ask(_last_ns)) + FUTURE_SLACK_NS
    at = foreign_events.time_of(event, time_key, latest_ns=latest_ns)
    while True:
        joined = _join(event, index, key, at)
        age_ns = None if at.unix_ns is None else time.time_ns() - at.unix_ns
        if joined.outcome is not Outcome.UNKNOWN or age_ns is None or not joined.by:
            return joined
        if abs(age_ns) >= _SETTLED_NS:
            return joined
        time.sleep(_LOOK_AGAIN_S)


def _join(event: dict[str, Any], fresh: FreshReading, key: str | None, at: EventTime) -> Joined:
    """Whose the event is by the most telling of its values that names one container."""
    best: Joined | None = None
    for place, question in _questions(event, key):
        joined = _joined(fresh.ask(partial(_answered, question, place, at)), place)
        if joined.container:
            return joined
        if best is None or (best.outcome is Outcome.UNKNOWN and joined.outcome is not best.outcome):
            best = joined
    return best or Joined(outcome=Outcome.UNKNOWN, reason="found no namespace in it")


def _last_ns(records: Records) -> int:
    """When the last record was written; 0 if there is none."""
    last = records.last()
    return 0 if last is None else unix_ns(last.time)


def _by_boot_time(
    found: Answer, ever: tuple[Interval, ...], at: EventTime, records: Records
) -> Answer:
    """The answer for a number that is, or may be, a time since a boot that is not named.

    Each interval's own record tells both clocks of its boot, and so what the time since boot was
    in Unix time there. Where that leaves nobody, it tells nothing. A number that may be a date as
    well names whom both of its meanings name.

    Args:
        found: By its date, if it has one, else of all times.
        ever: The intervals of all times.
        at: The number.
        records: Where they are.
    """
    if at.boot_ns is None or len(ever) > _INTERVALS_LIMIT:
        return found
    there: list[Interval] = []
    for one in ever:
        proof = records.at(one.evidence[0])
        if proof is None:
            return found  # that part of the ledger was removed by its rules
        then = rfc3339(max(0, unix_ns(proof.time) + at.boot_ns - proof.mono_ns))
        if Period.moment(then).meets(one.since, one.until):
            there.append(one)
    if at.unix_ns is not None:
        there += [one for one in found.intervals if one not in there]
    if not there:
        return found
    pods = {one.owner.pod.pod_sandbox_id for one in there}
    outcome = Outcome.ONE_POD if len(pods) == 1 else Outcome.SEVERAL_PODS
    return replace(found, outcome=outcome, intervals=tuple(there))


def _answered(question: Question, place: str, at: EventTime, records: Records) -> Answer:
    period = ALWAYS if at.unix_ns is None else Period.moment(rfc3339(at.unix_ns))
    found = answer(records, question, asked=place, period=period)
    found = not_of_the_future(found, now_ns=time.time_ns())
    if at.boot_ns is None or found.outcome not in {Outcome.ONE_POD, Outcome.SEVERAL_PODS}:
        return found
    ever = found
    if at.unix_ns is not None:
        ever = answer(records, question, asked=place, period=ALWAYS)
    return _by_boot_time(found, ever.intervals, at, records)


def _questions(event: dict[str, Any], key: str | None) -> Iterator[tuple[str, Question]]:
    if key is None:
        yield from foreign_events.find(event)
        return
    question = foreign_events.at_key(event, key)
    if question is not None:
        yield key, question


def _joined(found: Answer, place: str) -> Joined:
    if found.outcome in {Outcome.UNKNOWN, Outcome.HOST}:
        return Joined(outcome=found.outcome, by=place, reason=found.reason)
    records = tuple(sorted({seq for one in found.intervals for seq in one.evidence}))
    if found.outcome is Outcome.SEVERAL_PODS:
        pods = tuple(dict.fromkeys(one.owner.pod.full_name for one in found.intervals))
        return Joined(outcome=found.outcome, by=place, pods=pods, records=records)
    pod = found.intervals[0].owner.pod
    container = _container(found.intervals)
    return Joined(
        outcome=found.outcome,
        by=place,
        k8s_namespace=pod.k8s_namespace,
        pod=pod.name,
        pod_uid=pod.uid,
        pod_sandbox_id=pod.pod_sandbox_id,
        container="" if container is None else container.name,
        container_id="" if container is None else container.container_id,
        records=records,
    )


def _container(intervals: tuple[Interval, ...]) -> ContainerRef | None:
    """The one that all intervals are of, if they are of one."""
    owners = {one.owner for one in intervals}
    if len(owners) != 1:
        return None
    (owner,) = owners
    return owner.container if owner.kind is OwnerKind.CONTAINER else None


command = click.Command(
    "join",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "echo '{\"mntns_id\": 4026532261}' | nsledger join",
        'echo \'{"ns": "net:[4026532257]"}\' | nsledger join --key ns',
    ),
    params=[
        click.Option(["--key"], metavar="KEY", help="Where the namespace is, as a.b.c."),
        click.Option(["--time-key"], metavar="KEY", help="Where the time is, as a.b.c."),
        options.ledger(),
    ],
)
