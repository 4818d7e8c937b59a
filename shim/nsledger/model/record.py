"""A record: an event, when it happened, and where it stands in the chain.

As written: one JSON object on a line. The ledger writes `seq` and `prev` in front, this module the
moment and the event, flat, so that `jq .event` and `grep` work:

    {"seq":12,"prev":"…","time":"…","mono_ns":…,"boot_id":"…","event":"pod.requested",…}
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Final, cast

import msgspec

from nsledger import bounds
from nsledger.errors import NsledgerError
from nsledger.model.events import Event, UnknownEvent


class Moment(msgspec.Struct, frozen=True):
    """When something happened, by both clocks, and on which boot."""

    time_ns: int
    """Unix time."""
    mono_ns: int
    """CLOCK_MONOTONIC: it does not jump, and means nothing beyond its boot."""
    boot_id: str
    """/proc/sys/kernel/random/boot_id."""


class _Envelope(msgspec.Struct, frozen=True):
    seq: int
    prev: str
    time: str
    mono_ns: int
    boot_id: str
    event: str
    source: str = ""


class Record(msgspec.Struct, frozen=True):
    """One line of the ledger, read."""

    seq: int
    """1, 2, 3, …: the only order there is; clocks may step."""
    prev: str
    """SHA-256 of the line before, as written with its newline: 64 hexadecimal digits."""
    time: str
    """RFC 3339, UTC, nanoseconds: `2026-11-24T00:03:50.123456789Z`."""
    mono_ns: int
    boot_id: str
    event: Event | UnknownEvent


class UnreadableRecordError(NsledgerError):
    """A line that is no record of this version or an earlier one."""

    hint = "A newer nsledger may have written it; `nsledger verify` tells whether it was damaged."

    def __init__(self, *, line: bytes, reason: str) -> None:
        super().__init__(f"{reason}: found {line[:80]!r}, needed a record")
        self.reason = reason


_encode_event: Final = msgspec.json.Encoder().encode
_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_decode_event: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(Event).decode


def rfc3339(time_ns: int) -> str:
    """`time_ns` of Unix time as `2026-11-24T00:03:50.123456789Z`."""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    return f"{_to_the_second(seconds)}.{str(fraction).zfill(9)}Z"  # quicker than :09d


@functools.lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def encode(event: Event, at: Moment) -> bytes:
    """The record without `seq` and `prev`: a JSON object for the ledger to append.

    What is no Unicode text (a lone surrogate, from a path that is not UTF-8) is replaced by U+FFFD.
    """
    stamp = f'{{"time":"{rfc3339(at.time_ns)}","mono_ns":{at.mono_ns},"boot_id":"{at.boot_id}",'
    return stamp.encode() + encode_event(event)[1:]


def encode_event(event: Event) -> bytes:
    """The event alone, as one JSON object."""
    try:
        return _encode_event(event)
    except UnicodeEncodeError:
        return _encode_event(_with_replacements(msgspec.to_builtins(event)))


def decode_event(told: bytes) -> Event:
    """What `encode_event` made.

    Raises:
        UnreadableRecordError: it is no event of this version.
    """
    try:
        bounds.check_depth(told, bounds.RECORD_DEPTH)
        return _decode_event(told)
    except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
        raise UnreadableRecordError(line=told, reason=str(error)) from error


def decode(line: bytes) -> Record:
    """The record of one line as the ledger wrote it.

    Raises:
        UnreadableRecordError: the line is no record. An event that only a newer version knows is
            no error: it comes as `UnknownEvent`.
    """
    try:
        bounds.check_depth(line, bounds.RECORD_DEPTH)
        envelope = _decode_envelope(line)
        event = _event(line, envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
        raise UnreadableRecordError(line=line, reason=str(error)) from error
    return Record(
        seq=envelope.seq,
        prev=envelope.prev,
        time=envelope.time,
        mono_ns=envelope.mono_ns,
        boot_id=envelope.boot_id,
        event=event,
    )


def _event(line: bytes, envelope: _Envelope) -> Event | UnknownEvent:
    try:
        return _decode_event(line)
    except msgspec.ValidationError as error:
        return UnknownEvent(event=envelope.event, source=envelope.source, reason=str(error))


def _with_replacements(value: object) -> object:
    match value:
        case str():
            return value.encode(errors="surrogatepass").decode(errors="replace")
        case dict():
            items = cast("dict[object, object]", value).items()
            return {_with_replacements(key): _with_replacements(item) for key, item in items}
        case list() | tuple():
            return [_with_replacements(item) for item in cast("list[object]", value)]
        case _:
            return value
