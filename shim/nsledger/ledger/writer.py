"""The one writer of a ledger.

It appends whole batches or nothing: whatever fails, the file ends after the last entry of the last
batch that succeeded, or the writer refuses to go on until it does. It may not be shared between
threads, knows no clock, and says what it found at the start as data (`recoveries`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from nsledger.ledger import files, layout
from nsledger.ledger.chain import GENESIS, Head, link
from nsledger.ledger.errors import LedgerLockedError, LedgerUnusableError, SyncBehindError
from nsledger.ledger.recovery import UNSYNCED_LIMIT_BYTES, WINDOW_BYTES, find_end


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a writer left half-written and a later one moved aside; no entry followed it yet."""

    torn_bytes: int
    kept_as: str
    """File name, in the ledger's directory, of the torn bytes."""
    at_seq: int
    """The entry that the torn bytes would have been."""


@dataclass(frozen=True, slots=True)
class PendingSync:
    """A sync that was begun: `run` it on any thread, then tell the writer by `end_sync`."""

    descriptor: int
    """Of the segment, its own."""
    batches: int
    size_bytes: int
    head: Head
    """The last entry that will survive a power cut."""

    def run(self) -> None:
        """Wait for the disk, for as long as it takes.

        Raises:
            OSError: what was to be synced may be lost.
        """
        try:
            os.fdatasync(self.descriptor)
        finally:
            os.close(self.descriptor)


class LedgerWriter:
    """An open ledger, locked. Made by `open`, given back by `close`."""

    def __init__(
        self,
        *,
        lock: int,
        segment: int,
        size_bytes: int,
        head: Head,
        recoveries: tuple[Recovery, ...],
    ) -> None:
        self._lock = lock
        self._segment = segment
        self._size_bytes = size_bytes
        self._synced_bytes = size_bytes
        self._unsynced: list[bytes] = []
        self._tail_is_clean = True
        self._sync_failed = False
        self._syncing: PendingSync | None = None
        self._head = head
        self.recoveries = recoveries
        """What was cut off where this writer goes on; empty if the last one ended between lines.

        A caller that dies before it could say so in an entry finds them here again.
        """

    @classmethod
    def open(cls, directory: str) -> Self:
        """Lock the ledger in `directory`, made if missing, and find where to go on.

        A torn tail is first copied beside the segment, durably, and then cut off.

        Raises:
            LedgerLockedError: another process writes it.
            LedgerUnusableError: its end holds nothing to go on from.
            OSError: the disk refuses.
        """
        files.make_directory(directory, layout.DIRECTORY_MODE)
        lock_path = os.path.join(directory, layout.LOCK_NAME)
        with contextlib.ExitStack() as on_failure:
            try:
                lock = files.lock_file(lock_path, layout.FILE_MODE)
            except BlockingIOError as error:
                raise LedgerLockedError(path=lock_path) from error
            on_failure.callback(os.close, lock)
            segment, before = _last_segment(directory)
            on_failure.callback(os.close, segment)
            size = os.fstat(segment).st_size
            end = find_end(segment, size)
            if end.head is None and end.size_bytes > 0:
                raise LedgerUnusableError(path=directory, looked_at_bytes=WINDOW_BYTES)
            head = end.head or before
            if end.size_bytes < size:
                torn = files.read_at(segment, size - end.size_bytes, end.size_bytes)
                _keep(directory, torn, head.seq + 1)
                files.cut_at(segment, end.size_bytes)
                os.fsync(segment)
            recoveries = _recoveries(directory, head.seq + 1)
            on_failure.pop_all()
        return cls(
            lock=lock,
            segment=segment,
            size_bytes=end.size_bytes,
            head=head,
            recoveries=recoveries,
        )

    @property
    def head(self) -> Head:
        """The last entry that was appended."""
        return self._head

    @property
    def unsynced_bytes(self) -> int:
        """How much a power cut could take; appending fails past `UNSYNCED_LIMIT_BYTES`."""
        return self._size_bytes - self._synced_bytes

    def append(self, records: Sequence[bytes]) -> Head:
        """Put `records`, JSON objects, at the end with one write; the head they lead to.

        All of them are in the ledger afterwards, for every reader and beyond the death of this
        process; a power cut may take them until `sync`. On an error none of them is.

        Raises:
            NotARecordError: one of them cannot be a line.
            SyncBehindError: too much is unsynced, and the disk is still busy with a sync.
            OSError: the disk refuses, or refuses to take back half of a batch.
        """
        data, head = link(self._head, records)
        if self.unsynced_bytes and self.unsynced_bytes + len(data) > UNSYNCED_LIMIT_BYTES:
            if self._syncing is not None:
                raise SyncBehindError(unsynced_bytes=self.unsynced_bytes)
            self.sync()
        self._take_back()
        self._tail_is_clean = False
        try:
            files.write_at(self._segment, data, self._size_bytes)
        except OSError:
            with contextlib.suppress(OSError):  # the caller hears of the first failure
                self._take_back()
            raise
        self._tail_is_clean = True
        self._unsynced.append(data)
        self._size_bytes += len(data)
        self._head = head
        return head

    def sync(self) -> None:
        """Everything appended before survives a power cut.

        Raises:
            OSError: it does not, or nobody knows. Try again.
        """
        pending = self.begin_sync()
        if pending is None:
            return
        try:
            pending.run()
        except OSError:
            self.end_sync(succeeded=False)
            raise
        self.end_sync(succeeded=True)

    def begin_sync(self) -> PendingSync | None:
        """What has to be waited for until everything appended before survives a power cut.

        None if there is nothing to wait for, or one is waited for already. Appending goes on
        meanwhile: one write(2) does not wait for another's fdatasync(2).

        After a failed fdatasync(2) the kernel counts the lost pages as written, and a second one
        would succeed without them; so what is unsynced is written once more before it.

        Raises:
            OSError: it cannot be written once more.
        """
        if self._syncing is not None or not self._unsynced:
            return None
        if self._sync_failed:
            files.write_at(self._segment, b"".join(self._unsynced), self._synced_bytes)
        self._syncing = PendingSync(
            os.dup(self._segment), len(self._unsynced), self._size_bytes, self._head
        )
        return self._syncing

    def end_sync(self, *, succeeded: bool) -> None:
        """Take note of how what `begin_sync` began went."""
        done, self._syncing = self._syncing, None
        self._sync_failed = not succeeded
        if done is not None and succeeded:
            self._synced_bytes = done.size_bytes
            del self._unsynced[: done.batches]

    def close(self) -> None:
        """Sync, and let another writer in, which happens even if the sync fails.

        A sync that is under way is not waited for: the disk may hang.

        Raises:
            OSError: the last entries may not survive a power cut.
        """
        try:
            self.sync()
        finally:
            os.close(self._segment)
            os.close(self._lock)

    def _take_back(self) -> None:
        """Cut off what a failed append left behind, before anything can follow it."""
        if not self._tail_is_clean:
            files.cut_at(self._segment, self._size_bytes)
            self._tail_is_clean = True


def _last_segment(directory: str) -> tuple[int, Head]:
    """The segment to append to, opened, and the head of the ledger before it."""
    first_seqs = layout.first_seqs(os.listdir(directory))
    if not first_seqs:
        path = os.path.join(directory, layout.segment_name(1))
        return files.create_file(path, layout.FILE_MODE), GENESIS
    path = os.path.join(directory, layout.segment_name(first_seqs[-1]))
    before = GENESIS
    if len(first_seqs) > 1:
        before = _head_of(os.path.join(directory, layout.segment_name(first_seqs[-2])))
    return files.open_file(path, writable=True), before


def _head_of(path: str) -> Head:
    """The head at the end of a finished segment."""
    segment = files.open_file(path)
    try:
        end = find_end(segment, os.fstat(segment).st_size)
    finally:
        os.close(segment)
    if end.head is None:
        raise LedgerUnusableError(path=path, looked_at_bytes=WINDOW_BYTES)
    return end.head


def _keep(directory: str, torn: bytes, seq: int) -> None:
    """Copy torn bytes to a file of their own, durably."""
    number = 1
    while True:
        path = os.path.join(directory, layout.torn_name(seq, number))
        try:
            files.write_file(path, torn, layout.FILE_MODE)
        except FileExistsError:
            number += 1
        else:
            return


def _recoveries(directory: str, seq: int) -> tuple[Recovery, ...]:
    """What lies aside that would have been entry `seq`."""
    return tuple(
        Recovery(
            torn_bytes=os.stat(os.path.join(directory, name)).st_size, kept_as=name, at_seq=seq
        )
        for name in layout.torn_names(os.listdir(directory), seq)
    )
