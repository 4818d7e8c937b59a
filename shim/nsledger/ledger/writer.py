"""The one writer of a ledger.

It appends whole batches or nothing: whatever fails, the file ends after the last entry of the last
batch that succeeded, or the writer refuses to go on until it does. It may not be shared between
threads, knows no clock, and says what it found as data (`recoveries`, `take_alterations`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, assert_never

from nsledger.ledger import files, layout
from nsledger.ledger.errors import LedgerLockedError, SyncBehindError
from nsledger.ledger.line import Head, link
from nsledger.ledger.recovery import (
    UNSYNCED_LIMIT_BYTES,
    Opened,
    begin_segment,
    free_name,
    open_last,
    set_aside,
)
from nsledger.ledger.segment_guard import Altered, SegmentGuard, extra_bytes, put_back
from nsledger.model.events import Alteration


@dataclass(frozen=True, slots=True)
class PendingSync:
    """A sync that was begun: `run` it on any thread, then tell the writer by `end_sync`."""

    descriptor: int
    """Of the segment, its own."""
    new_name_in: str | None
    """The directory, as long as the segment's name may not be durable."""
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
            if self.new_name_in is not None:
                files.sync_directory(self.new_name_in)
            os.fdatasync(self.descriptor)
        finally:
            os.close(self.descriptor)


class LedgerWriter:
    """An open ledger, locked. Made by `open`, given back by `close`."""

    def __init__(self, *, directory: str, lock: int, opened: Opened) -> None:
        self.directory = directory
        self._lock = lock
        self._segment = opened.descriptor
        self._guard = SegmentGuard(directory, opened.name, opened.descriptor)
        self._size_bytes = opened.size_bytes
        self._synced_bytes = opened.size_bytes
        self._unsynced: list[bytes] = []
        self._tail_is_clean = True
        self._sync_failed = False
        self._syncing: PendingSync | None = None
        self._name_is_durable = True
        self._head = opened.head
        self._altered: list[Altered] = []
        self.recoveries = opened.recoveries
        """What was cut off where this writer goes on; empty if the last one ended between lines.

        A caller that dies before it could say so in an entry finds them here again.
        """

    @classmethod
    def open(cls, directory: str, *, group_id: int | None = None) -> Self:
        """Lock the ledger in `directory`, made if missing, and find where to go on.

        A torn tail is first copied beside the segment, durably, and then cut off.

        Args:
            directory: Root's, or this user's, afterwards, and nobody else may write in it.
            group_id: The group that may read it, if not the one that may already.

        Raises:
            LedgerLockedError: another process writes it.
            LedgerUnusableError: its end holds nothing to go on from.
            OSError: the disk refuses.
        """
        files.make_directory(directory, layout.DIRECTORY_MODE)
        files.secure_directory(directory, layout.DIRECTORY_MODE, group_id)
        lock_path = os.path.join(directory, layout.LOCK_NAME)
        with contextlib.ExitStack() as on_failure:
            try:
                lock = files.lock_file(lock_path, layout.FILE_MODE)
            except BlockingIOError as error:
                raise LedgerLockedError(path=lock_path) from error
            on_failure.callback(os.close, lock)
            if group_id is not None:
                files.give_to_group(directory, group_id, but=layout.LOCK_NAME)
            opened = open_last(directory)
            on_failure.pop_all()
        return cls(directory=directory, lock=lock, opened=opened)

    @property
    def head(self) -> Head:
        """The last entry that was appended."""
        return self._head

    @property
    def segment_bytes(self) -> int:
        """How long the segment is that is being written."""
        return self._size_bytes

    @property
    def segment_path(self) -> str:
        """Where it is."""
        return self._guard.path

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
        self._take_back()
        self._undo(self._guard.check_fd(self._size_bytes))
        if self.unsynced_bytes and self.unsynced_bytes + len(data) > UNSYNCED_LIMIT_BYTES:
            if self._syncing is not None:
                raise SyncBehindError(unsynced_bytes=self.unsynced_bytes)
            self.sync()
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
        if self._syncing is not None or not self._has_unsynced():
            return
        try:
            if not self._name_is_durable:
                files.sync_directory(self.directory)
            os.fdatasync(self._segment)
        except OSError:
            self._sync_failed = True
            raise
        self._sync_failed = False
        self._name_is_durable = True
        self._synced_bytes = self._size_bytes
        self._unsynced.clear()

    def begin_sync(self) -> PendingSync | None:
        """What has to be waited for until everything appended before survives a power cut.

        None if there is nothing to wait for, or one is waited for already. Appending goes on
        meanwhile: one write(2) does not wait for another's fdatasync(2).

        Raises:
            OSError: what was lost by a sync before cannot be written once more.
        """
        if self._syncing is not None or not self._has_unsynced():
            return None
        self._syncing = PendingSync(
            descriptor=os.dup(self._segment),
            new_name_in=None if self._name_is_durable else self.directory,
            batches=len(self._unsynced),
            size_bytes=self._size_bytes,
            head=self._head,
        )
        return self._syncing

    def _has_unsynced(self) -> bool:
        """Whether there is something to sync; all of it is in the file then.

        After a failed fdatasync(2) the kernel counts the lost pages as written, and a second one
        would succeed without them; so what is unsynced is written once more before it.
        """
        self.keep_in_place()
        if not self._unsynced:
            return False
        if self._sync_failed:
            files.write_at(self._segment, b"".join(self._unsynced), self._synced_bytes)
        return True

    def end_sync(self, *, succeeded: bool) -> None:
        """Take note of how what `begin_sync` began went."""
        done, self._syncing = self._syncing, None
        if done is None:
            return  # of a segment that is no longer written
        self._sync_failed = not succeeded
        if succeeded:
            self._name_is_durable = True
            self._synced_bytes = done.size_bytes
            del self._unsynced[: done.batches]

    def rotate(self) -> None:
        """Go on in a new segment; nobody touches the one before any more. An empty one stays.

        Best when nothing is unsynced, for that is synced first: else a power cut could take the end
        of a segment and leave the next one.

        Raises:
            SyncBehindError: the disk is busy with a sync.
            OSError: the disk refuses; the segment is the same as before.
        """
        if not self._size_bytes:
            return
        self._take_back()
        self.sync()
        if self._unsynced:
            raise SyncBehindError(unsynced_bytes=self.unsynced_bytes)
        self._begin_segment()

    def take_alterations(self) -> list[Altered]:
        """What others did to the segment since the last call; entries are to tell of it."""
        taken, self._altered = self._altered, []
        return taken

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

    def keep_in_place(self) -> None:
        """Undo what others did to the segment since the last look, as far as that is possible.

        Raises:
            OSError: it cannot be undone just now.
        """
        if self._tail_is_clean:
            self._undo(self._guard.check_path(self._size_bytes))

    def _undo(self, alteration: Alteration | None) -> None:
        if alteration is None:
            return
        name, seq, kept_as = self._guard.name, self._head.seq, ""
        match alteration:
            case Alteration.REMOVED | Alteration.REPLACED:
                kept_as = self._put_back()
            case Alteration.EXTENDED:
                extra = extra_bytes(self._segment, self._size_bytes)
                kept_as = set_aside(self.directory, extra, layout.foreign_name(seq, 1))
                files.cut_at(self._segment, self._size_bytes)
            case Alteration.TRUNCATED:
                self._go_on_behind_what_is_left()
            case _:
                assert_never(alteration)
        self._altered.append(Altered(alteration, name, seq, kept_as))

    def _put_back(self) -> str:
        foreign = free_name(self.directory, layout.foreign_name(self._head.seq, 1))
        copy, kept_as = put_back(self._guard.path, self._segment, self._size_bytes, foreign)
        self._go_on_in(copy, self._guard.name)
        self._synced_bytes = self._size_bytes
        self._unsynced.clear()
        return kept_as

    def _go_on_behind_what_is_left(self) -> None:
        if os.fstat(self._segment).st_size >= self._synced_bytes:
            files.write_at(self._segment, b"".join(self._unsynced), self._synced_bytes)
        else:
            self._begin_segment()

    def _begin_segment(self) -> None:
        descriptor, name = begin_segment(self.directory, self._head)
        # The name is there: from here on, entries go nowhere else.
        self._go_on_in(descriptor, name)
        self._size_bytes = self._synced_bytes = 0
        self._unsynced.clear()
        self._name_is_durable = False

    def _go_on_in(self, descriptor: int, name: str) -> None:
        before, self._segment = self._segment, descriptor
        self._guard = SegmentGuard(self.directory, name, descriptor)
        self._sync_failed = False
        self._syncing = None
        with contextlib.suppress(OSError):  # it holds nothing that is not on the disk, or lost
            os.close(before)
