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
import struct
import threading
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, Self

from nsledger.proc.filesystems import filesystem_of

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
    return f"ahead-{sha256(os.fsencode(os.path.realpath(ledger))).hexdigest()[:16]}-"


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
