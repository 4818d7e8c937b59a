"""A record: an event, when it happened, and where it stands in the chain.

As written: one JSON object on a line. The ledger writes `seq` and `prev` in front, this module the
moment and the event, flat, so that `jq .event` and `grep` work:

    {"seq":12,"prev":"…","time":"…","mono_ns":…,"boot_id":"…","event":"pod.requested",…}
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from nsledger.domain.events import Event
from nsledger.errors import NsledgerError


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
    event: Event


class UnreadableRecordError(NsledgerError):
    """A line that is no record of this version or an earlier one."""

    hint = "A newer nsledger may have written it; `nsledger verify` tells whether it was damaged."

    def __init__(self, *, line: bytes, reason: str) -> None:
        super().__init__(f"{reason}: found {line[:80]!r}, needed a record")
        self.reason = reason


_encoder: Final = msgspec.json.Encoder()
_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_decode_event: Final = msgspec.json.Decoder(Event).decode


def rfc3339(time_ns: int) -> str:
    """`time_ns` of Unix time as `2026-11-24T00:03:50.123456789Z`."""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"


def encode(event: Event, at: Moment) -> bytes:
    """The record without `seq` and `prev`: a JSON object for the ledger to append."""
    stamp = f'{{"time":"{rfc3339(at.time_ns)}","mono_ns":{at.mono_ns},"boot_id":"{at.boot_id}",'
    return stamp.encode() + _encoder.encode(event)[1:]


def decode(line: bytes) -> Record:
    """The record of one line as the ledger wrote it.

    Raises:
        UnreadableRecordError: the line is not JSON, or not a record that this version knows.
    """
    try:
        envelope = _decode_envelope(line)
        event = _decode_event(line)
    except msgspec.DecodeError as error:
        raise UnreadableRecordError(line=line, reason=str(error)) from error
    return Record(
        seq=envelope.seq,
        prev=envelope.prev,
        time=envelope.time,
        mono_ns=envelope.mono_ns,
        boot_id=envelope.boot_id,
        event=event,
    )
