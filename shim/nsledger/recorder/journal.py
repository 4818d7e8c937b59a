"""Records kept in memory that outlives the process, until they are in the ledger.

A request must be on record before it goes on, so that no death of ours can lose it. A disk that
hangs makes whoever waits for it wait; memory never does. So a request's record is first put into a
file on a tmpfs, mapped into memory: two microseconds, no system call. The kernel keeps it when the
process is killed, and the next one brings it into the ledger (`left_behind.py`). A power cut takes
it, as it takes what is written and not synced.

The file, of `SIZE_BYTES` that are allocated before any is needed: `MAGIC`, then entries of a
little-endian length and CRC-32 (four bytes each) and so many bytes; a length of 0 ends it. One
that was being put in when the process died does not match its CRC-32, and its request had not gone
on. When all entries are in the ledger, the next one is the first again. Whoever uses the file holds
flock(2) on it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import stat
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final, Self

import msgspec
import structlog

from nsledger.ledger.errors import LedgerError
from nsledger.ledger.line import Head, opening
from nsledger.ledger.reader import entries_backwards
from nsledger.model.events import Event, Gap, Source
from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.record import Moment, UnreadableRecordError, decode_event, rfc3339
from nsledger.proc.filesystems import filesystem_of
from nsledger.recorder.ticket import Ticket

MAGIC: Final = b"nsledger ahead 1"
SIZE_BYTES: Final = 1 << 20
"""Some 1,300 requests: more than a node makes while a record gets into the ledger."""
_ENTRY: Final = struct.Struct("<II")
_END: Final = bytes(_ENTRY.size)


class WriteAhead:
    """The file of one process. `put` and `settle` may be called from any thread."""

    def __init__(self, path: str, descriptor: int, memory: mmap.mmap) -> None:
        self.path = path
        self._descriptor = descriptor
        self._memory = memory
        self._lock = threading.Lock()
        self._at = len(MAGIC)
        self._unsettled = 0

    @classmethod
    def create(cls, directory: str, ledger: str) -> Self | None:
        """A new file in `directory`, for records of the ledger at `ledger`.

        None if the directory is not on a tmpfs: writing to its memory could wait for a disk.

        Raises:
            OSError: it cannot be made, or there is no room for it.
        """
        if filesystem_of(directory) != "tmpfs":
            return None
        path = f"{directory}/{prefix_of(ledger)}{secrets.token_hex(8)}"
        hidden = f"{directory}/.{os.path.basename(path)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(hidden, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A page that is not there when it is written to is a SIGBUS if memory is short.
            os.posix_fallocate(descriptor, 0, SIZE_BYTES)
            memory = mmap.mmap(descriptor, SIZE_BYTES)
            memory[: len(MAGIC)] = MAGIC
            os.rename(hidden, path)  # only now may others find it: it is whole, and locked
        except BaseException:
            os.unlink(hidden)
            os.close(descriptor)
            raise
        return cls(path, descriptor, memory)

    def put(self, record: bytes) -> bool:
        """Keep `record`; False if there is no room left."""
        with self._lock:
            start = self._at + _ENTRY.size
            end = start + len(record)
            if not record or end + _ENTRY.size > SIZE_BYTES:
                return False
            entry = _ENTRY.pack(len(record), zlib.crc32(record)) + record + _END
            self._memory[self._at : end + _ENTRY.size] = entry
            self._at = end
            self._unsettled += 1
            return True

    def settle(self, count: int) -> None:
        """So many of the records are in the ledger now."""
        with self._lock:
            self._unsettled -= count
            if not self._unsettled and self._at > len(MAGIC):
                self._at = len(MAGIC)
                self._memory[self._at : self._at + _ENTRY.size] = _END

    def close(self, *, all_settled: bool) -> None:
        """Let go of the file, and remove it unless the next process has to look into it."""
        with self._lock:
            if all_settled:
                os.unlink(self.path)
            self._at = SIZE_BYTES  # nothing more fits
            self._memory.close()
            os.close(self._descriptor)


def prefix_of(ledger: str) -> str:
    """What the names of the files begin with that belong to one ledger."""
    return f"ahead-{sha256(os.fsencode(os.path.abspath(ledger))).hexdigest()[:16]}-"


def records_in(content: bytes) -> Iterator[bytes]:
    """The records in the content of such a file, up to where it ends or makes no sense."""
    if not content.startswith(MAGIC):
        return
    at = len(MAGIC)
    while at + _ENTRY.size <= len(content):
        length, checksum = _ENTRY.unpack_from(content, at)
        at += _ENTRY.size
        record = content[at : at + length]
        if not length or len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        at += length


# What processes that were killed had kept ahead of the ledger, and did not get into it.
#
# A process whose file is locked is alive, and writes its records itself. Of a dead one's, those
# that
# are in the ledger already are left out: it may have died between writing them and saying so.

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
