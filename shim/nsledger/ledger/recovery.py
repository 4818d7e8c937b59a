"""Where a writer goes on: the newest segment, opened, cut to its sound part, and what it follows.

Looks at names first: a segment that is empty follows the one before it, or what was pruned. What a
crash tore is copied beside it, durably, before it is cut off.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections import deque
from dataclasses import dataclass
from typing import Final

from nsledger.ledger import files, layout
from nsledger.ledger.errors import LedgerUnusableError, NotAnEntryError
from nsledger.ledger.layout import PrunedFileError, load
from nsledger.ledger.line import GENESIS, MAX_LINE_BYTES, Entry, Head, check_whole
from nsledger.ledger.reader import whole_lines
from nsledger.ledger.segment import Segment

# What a crash can leave: a last line without its newline (the process died), or pages that never
# reached the disk and read as NUL bytes, with newer lines behind them (the power failed). Both lie
# in what was not synced yet, and `UNSYNCED_LIMIT_BYTES` bounds that. Only such bytes, and trailing
# lines that are no entries, count as torn. A well-formed last entry stays, even if it does not
# follow the one before it: that is no crash but an edit, and cutting it off would hide what
# `verify` must show.

UNSYNCED_LIMIT_BYTES: Final = 4 << 20
"""A writer syncs before more than this is unsynced."""
WINDOW_BYTES: Final = 2 * UNSYNCED_LIMIT_BYTES + MAX_LINE_BYTES
"""How much of a segment is held in memory at once while its last entry is looked for."""
_KEPT_BYTES: Final = 64 << 20
"""The most that is copied of what is moved aside: a crash leaves a few MiB at most."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the sound part of a segment."""

    size_bytes: int
    """Everything from here on is torn."""
    head: Head | None
    """None where there is no entry in it."""


def find_end(descriptor: int, size: int) -> End:
    """Where the sound part of a segment of `size` bytes ends.

    Nearly always one window of `WINDOW_BYTES` is read; behind a longer end that holds no entry,
    which no crash makes, as many as it takes.
    """
    start = max(0, size - WINDOW_BYTES)
    window = files.read_at(descriptor, size - start, start)
    hole = window.find(b"\0", -UNSYNCED_LIMIT_BYTES)
    sound = window if hole < 0 else window[:hole]
    while True:
        end = sound.rfind(b"\n") + 1
        while end > 0:
            begin = sound.rfind(b"\n", 0, end - 1) + 1
            line = sound[begin:end]
            try:
                entry = Entry.parse(line)
                check_whole(line)
            except NotAnEntryError:
                end = begin
            else:
                return End(size_bytes=start + end, head=entry.head)
        if start == 0:
            return End(size_bytes=0, head=None)
        # A line that begins before this window may end up to this far into it.
        stop = start + min(MAX_LINE_BYTES, WINDOW_BYTES // 2)
        start = max(0, stop - WINDOW_BYTES)
        sound = files.read_at(descriptor, stop - start, start)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a writer left half-written and a later one moved aside; no entry followed it yet."""

    torn_bytes: int
    kept_as: str
    """File name, in the ledger's directory, of the torn bytes."""
    at_seq: int
    """The entry that the torn bytes would have been."""
    through_seq: int = 0
    """The last entry that stands whole in them; 0 if none does."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The segment to append to."""

    descriptor: int
    name: str
    size_bytes: int
    head: Head
    """Of the ledger."""
    recoveries: tuple[Recovery, ...]


def open_last(directory: str) -> Opened:
    """The newest segment, or a new one where there is none to append to.

    What has a segment's name and is no regular file is renamed: it holds no entry.

    Raises:
        LedgerUnusableError: the end of the ledger holds nothing to go on from.
        OSError: the disk refuses.
    """
    names = layout.segment_names(os.listdir(directory))
    while names:
        first_seq, name = names[-1]
        path = os.path.join(directory, name)
        if not stat.S_ISREG(os.stat(path, follow_symlinks=False).st_mode):
            aside = free_name(directory, layout.torn_name(first_seq, 1))
            os.rename(path, os.path.join(directory, aside))
            names.pop()
            continue
        if name.endswith(layout.COMPRESSED_SUFFIX):
            break
        names.pop()
        with contextlib.ExitStack() as on_failure:
            segment = files.open_file(path, writable=True)
            on_failure.callback(os.close, segment)
            size = os.fstat(segment).st_size
            end = find_end(segment, size)
            head = end.head or _head_before(directory, names)
            if end.size_bytes < size:
                kept = min(size - end.size_bytes, _KEPT_BYTES)
                torn = files.read_at(segment, kept, end.size_bytes)
                set_aside(directory, torn, layout.torn_name(head.seq + 1, 1))
                files.cut_at(segment, end.size_bytes)
                os.fsync(segment)
            if end.size_bytes == 0 and head.seq + 1 != first_seq:
                # It was made behind entries that never reached the disk: those to come will have
                # the numbers of these, and belong elsewhere.
                os.unlink(path)
                continue
            recoveries = _recoveries(directory, head.seq + 1)
            on_failure.pop_all()
        return Opened(segment, name, end.size_bytes, head, recoveries)
    head = _head_before(directory, names)
    segment, name = begin_segment(directory, head)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(os.close, segment)
        files.sync_directory(directory)
        recoveries = _recoveries(directory, head.seq + 1)
        on_failure.pop_all()
    return Opened(segment, name, 0, head, recoveries)


def begin_segment(directory: str, head: Head) -> tuple[int, str]:
    """A new segment behind `head`, its name not durable yet: descriptor and name.

    Raises:
        OSError: there is none, and nothing was left behind.
    """
    name = layout.segment_name(head.seq + 1)
    return files.new_file(os.path.join(directory, name), layout.FILE_MODE), name


def set_aside(directory: str, data: bytes, name: str) -> str:
    """Copy bytes to a new file, durably; its name, which is `name` or has a higher number."""
    name = free_name(directory, name)
    files.write_file(os.path.join(directory, name), data, layout.FILE_MODE)
    return name


def free_name(directory: str, name: str) -> str:
    """`name`, which ends in a number, or the first one after it that nothing in there has."""
    stem, _, number = name.rpartition("-")
    names = set(os.listdir(directory))
    return next(
        free for at in itertools.count(int(number)) if (free := f"{stem}-{at}") not in names
    )


def _head_before(directory: str, names: list[tuple[int, str]]) -> Head:
    """The head at the end of the last of these segments that has an entry."""
    for _, name in reversed(names):
        path = os.path.join(directory, name)
        with Segment.open(path) as segment:
            if segment.compressed:
                return _head_of_compressed(segment, path)
            end = find_end(segment.descriptor, os.fstat(segment.descriptor).st_size)
        if end.head is not None:
            return end.head
    with contextlib.suppress(PrunedFileError):
        pruned = load(directory)
        return GENESIS if pruned is None else pruned.before
    return GENESIS


def _head_of_compressed(segment: Segment, path: str) -> Head:
    try:
        last = deque(whole_lines(segment.pieces()), maxlen=1)
        return Entry.parse(last.pop() if last else b"").head
    except NotAnEntryError as error:
        raise LedgerUnusableError(path=path, looked_at_bytes=segment.read_bytes) from error


def _recoveries(directory: str, seq: int) -> tuple[Recovery, ...]:
    """What lies aside that would have been entry `seq`."""
    return tuple(
        _recovery(os.path.join(directory, name), name, seq)
        for name in layout.torn_names(os.listdir(directory), seq)
    )


def _recovery(path: str, name: str, seq: int) -> Recovery:
    size = os.stat(path, follow_symlinks=False).st_size
    through = 0
    with contextlib.suppress(files.NotARegularFileError):
        for line in files.read_file(path, _KEPT_BYTES, follow_links=False).splitlines(
            keepends=True
        ):
            with contextlib.suppress(NotAnEntryError):
                through = max(through, Entry.parse(line).seq)
    return Recovery(torn_bytes=size, kept_as=name, at_seq=seq, through_seq=through)
