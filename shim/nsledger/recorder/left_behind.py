"""What processes that were killed had kept ahead of the ledger, and did not get into it.

A process whose file is locked is alive, and writes its records itself. Of a dead one's, those that
are in the ledger already are left out: it may have died between writing them and saying so.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
import structlog

from nsledger.domain.events import Event, Gap, Source
from nsledger.domain.instant import NotAnInstantError, unix_ns
from nsledger.domain.record import Moment, UnreadableRecordError, decode_event, rfc3339
from nsledger.ledger.backwards import entries_backwards
from nsledger.ledger.chain import Head, opening
from nsledger.ledger.errors import LedgerError
from nsledger.recorder.ahead import SIZE_BYTES, prefix_of, records_in
from nsledger.recorder.ticket import Ticket

log = structlog.get_logger(__name__)

_LOOKED_BACK: Final = 20_000
"""Entries of the ledger among which a record is looked for. Between a record and the end of the
ledger there are those that came while it was written: a few, or a queue's length."""


class _Stamp(msgspec.Struct, frozen=True):
    time: str
    mono_ns: int
    boot_id: str


_decode_stamp: Final = msgspec.json.Decoder(_Stamp).decode


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What is to be written, and the files that may go when it is."""

    events: tuple[tuple[Event, Moment], ...] = ()
    paths: tuple[str, ...] = ()
    undecodable: int = 0
    """Records that another version wrote, and this one cannot read."""

    def tickets(self, now: Moment) -> list[Ticket]:
        """To be written in this order; with the last of them the files go.

        What cannot be read is a gap.
        """
        tickets = [Ticket(event, at) for event, at in self.events]
        if self.undecodable:
            time = rfc3339(now.time_ns)
            gap = Gap(
                source=Source.DAEMON,
                reason="left_behind_unreadable",
                count=self.undecodable,
                first_time=time,
                last_time=time,
            )
            tickets.append(Ticket(gap, now))
        if tickets:
            last = tickets[-1]
            last.on_done(lambda: None if last.error else self.discard())
        else:
            self.discard()
        return tickets

    def discard(self) -> None:
        """Remove the files: their records are in the ledger."""
        for path in self.paths:
            try:
                os.unlink(path)
            except OSError as error:
                log.warning("ahead.not_removed", error=type(error).__name__)


def left_behind(directory: str, ledger: str) -> LeftBehind:
    """The records of dead processes in `directory` that are not in the ledger at `ledger`.

    Never raises: no ledger is to stay closed for this. A file that cannot be read stays.
    """
    paths: list[str] = []
    records: list[bytes] = []
    try:
        for path, content in _files(directory, prefix_of(ledger)):
            paths.append(path)
            records.extend(records_in(content))
    except OSError as error:
        log.error("ahead.unreadable", error=type(error).__name__)  # noqa: TRY400 - see ticket.py
    written = _written(ledger, set(records)) if records else set[bytes]()
    missing = [record for record in records if record not in written]
    if missing:
        log.info("ahead.found", records=len(missing), written=len(written))
    events = [event for record in missing if (event := _event(record)) is not None]
    return LeftBehind(tuple(events), tuple(paths), undecodable=len(missing) - len(events))


def _files(directory: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of the files that nobody uses, the oldest first."""
    found: list[tuple[int, str, bytes]] = []
    for name in os.listdir(directory):
        path = f"{directory}/{name}"
        try:
            if name.startswith(prefix) and (left := _unused(path)) is not None:
                found.append((left[0], path, left[1]))
        except OSError as error:
            log.error("ahead.unreadable", error=type(error).__name__)  # noqa: TRY400 - see ticket.py
    for _, path, content in sorted(found):
        yield path, content


def _unused(path: str) -> tuple[int, bytes] | None:
    """When a file was last written to and its content; None if its process lives, or made it not.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return status.st_mtime_ns, os.read(descriptor, SIZE_BYTES)
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)


def _written(ledger: str, records: set[bytes]) -> set[bytes]:
    """Those of `records` that the ledger ends with, as far as it can be read."""
    found: set[bytes] = set()
    try:
        for entry in islice(entries_backwards(ledger), _LOOKED_BACK):
            before = Head(seq=entry.seq - 1, digest=entry.prev)
            record = b"{" + entry.line[len(opening(before)) : -1]
            if record in records:
                found.add(record)
            if len(found) == len(records):
                break
    except (OSError, LedgerError) as error:
        # Once more on record is better than not at all.
        log.warning("ahead.not_compared", error=type(error).__name__)
    return found


def _event(record: bytes) -> tuple[Event, Moment] | None:
    try:
        stamp = _decode_stamp(record)
        at = Moment(unix_ns(stamp.time), stamp.mono_ns, stamp.boot_id)
        return decode_event(record), at
    except (msgspec.DecodeError, UnicodeDecodeError, NotAnInstantError, UnreadableRecordError):
        return None
