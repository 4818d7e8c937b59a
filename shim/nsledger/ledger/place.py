"""Where a ledger is read from: its directory, or one segment that someone copied by itself.

Only looks. A lone segment may have any name; what came before it has to be believed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from nsledger.ledger import layout
from nsledger.ledger.errors import LedgerError, NotAnEntryError
from nsledger.ledger.layout import Pruned, PrunedFileError, load
from nsledger.ledger.line import GENESIS, MAX_LINE_BYTES, Entry, Head
from nsledger.ledger.segment import Segment


class NoLedgerError(LedgerError):
    """There is something at the path, and it holds no ledger."""

    hint = (
        "The ledger of this node is where `nsledger serve` writes it; a copy may be its directory "
        "or one of its segments, .jsonl or .jsonl.zst."
    )

    def __init__(self, *, path: str, found: str) -> None:
        super().__init__(f"{path}: found {found}, needed a ledger")
        self.path = path


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger that can be read."""

    segments: tuple[tuple[int, str], ...]
    """`seq` of the first entry, and path; in order."""
    before: Head = GENESIS
    """What the first segment has to follow."""
    pruned: Pruned | None = None
    """What `before` was taken from, if not from the genesis."""
    pruned_error: PrunedFileError | None = None
    """`pruned.json` is there and says nothing: what is there is read as if that were all."""

    @property
    def size_bytes(self) -> int:
        """Of all segments as they are now; of those compressed or removed meanwhile, nothing."""
        size = 0
        for _, path in self.segments:
            with contextlib.suppress(FileNotFoundError):
                size += os.stat(path).st_size
        return size


def find(path: str) -> Place:
    """The ledger at `path`, a directory or a file.

    Raises:
        NoLedgerError: neither a directory with segments nor a file that begins with an entry.
        OSError: it is not there, or cannot be looked at.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return _directory(path)
    if not stat.S_ISREG(mode):
        raise NoLedgerError(path=path, found="no regular file")
    return _lone_segment(os.path.realpath(path))


def opened(segment_path: str) -> contextlib.AbstractContextManager[Segment | None]:
    """The segment at `segment_path`; None if a rule removed it since, which its ledger says.

    Raises:
        OSError: it is not there without a reason, or cannot be read.
    """
    try:
        return Segment.open(segment_path)
    except FileNotFoundError:
        try:
            pruned = load(os.path.dirname(segment_path))
        except PrunedFileError:
            pruned = None
        named = layout.first_seqs([os.path.basename(segment_path)])
        if pruned is None or not named or named[0] >= pruned.first_seq:
            raise
        return contextlib.nullcontext()


def _directory(path: str) -> Place:
    # In this order: what is removed after it was listed is known to be removed.
    names = layout.segment_names(os.listdir(path))
    pruned, unread = None, None
    try:
        pruned = load(path)
    except PrunedFileError as error:
        unread = error
    first_kept = 1 if pruned is None else pruned.first_seq
    segments = tuple((seq, os.path.join(path, name)) for seq, name in names if seq >= first_kept)
    if not segments:
        raise NoLedgerError(path=path, found="a directory without segments")
    before = GENESIS if pruned is None else pruned.before
    return Place(segments, before, pruned, unread)


def _lone_segment(path: str) -> Place:
    line = _first_line(path)
    named = layout.first_seqs([os.path.basename(path)])
    seq, prev = (named[0] if named else 1), GENESIS.digest
    try:
        first = Entry.parse(line)
    except NotAnEntryError as error:
        if line and not named:
            found = f"a file that begins with {line[:20]!r}"
            raise NoLedgerError(path=path, found=found) from error
    else:
        seq, prev = (named[0] if named else first.seq), first.prev
    # What comes before entry 1 needs nobody's word.
    before = GENESIS if seq == 1 else Head(seq=seq - 1, digest=prev)
    return Place(((seq, path),), before)


def _first_line(path: str) -> bytes:
    """The first line of a segment with its newline, or what there is of it."""
    data = b""
    with Segment.open(path) as segment, contextlib.suppress(NotAnEntryError):
        for piece in segment.pieces():
            data += piece
            end = data.find(b"\n") + 1
            if end or len(data) > MAX_LINE_BYTES:
                return data[:end]
    return data
