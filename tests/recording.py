"""What tests of the recorder and of those above it have in common."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NoReturn, cast

import msgspec

from nsledger.ledger.reader import entries
from nsledger.model.events import DaemonStopped, Event, Source
from nsledger.model.record import Moment, Record, decode

LEDGER_ID = "0123456789abcdef" * 2

_ticks = itertools.count(1)


def now() -> Moment:
    """A moment later than the last one."""
    tick = next(_ticks)
    return Moment(time_ns=1_700_000_000_000_000_000 + tick, mono_ns=tick, boot_id="boot")


def event(word: str | int) -> Event:
    """An event that can be told from others."""
    return DaemonStopped(source=Source.DAEMON, reason=str(word))


def unencodable() -> Event:
    """An event that breaks its types, as only a mistake in the code can make one."""
    return DaemonStopped(source=Source.DAEMON, reason=cast("str", object()))


def records(directory: Path) -> list[Record]:
    """What is in a ledger."""
    return [decode(entry.line) for entry in entries(str(directory))]


def words(directory: Path) -> list[str]:
    """The words of what `event` made, and the names of all other events, in the ledger's order."""
    return [
        record.event.reason
        if isinstance(record.event, DaemonStopped)
        else str(
            msgspec.structs.asdict(record.event).get("reason", record.event.__struct_config__.tag)
        )
        for record in records(directory)
    ]


def mistake(*_: object) -> NoReturn:
    """Raise what nobody foresaw."""
    raise ZeroDivisionError
