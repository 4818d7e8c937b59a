"""Where a ledger is read from: its directory, or one segment that someone copied by itself.

Only looks. A lone segment may have any name; what came before it has to be believed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from nsledger.ledger import files, layout
from nsledger.ledger.chain import GENESIS, MAX_LINE_BYTES, Head
from nsledger.ledger.entry import Entry
from nsledger.ledger.errors import LedgerError, NotAnEntryError


class NoLedgerError(LedgerError):
    """There is something at the path, and it holds no ledger."""

    hint = (
        "The ledger of this node is where `nsledger serve` writes it; a copy may be its directory "
        "or one of its .jsonl files."
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

    @property
    def size_bytes(self) -> int:
        """Of all segments as they are now."""
        return sum(os.stat(path).st_size for _, path in self.segments)


def find(path: str) -> Place:
    """The ledger at `path`, a directory or a file.

    Raises:
        NoLedgerError: neither a directory with segments nor a file that begins with an entry.
        OSError: it is not there, or cannot be looked at.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        first_seqs = layout.first_seqs(os.listdir(path))
        if not first_seqs:
            raise NoLedgerError(path=path, found="a directory without segments")
        return Place(
            tuple((seq, os.path.join(path, layout.segment_name(seq))) for seq in first_seqs)
        )
    if not stat.S_ISREG(mode):
        raise NoLedgerError(path=path, found="no regular file")
    return _lone_segment(os.path.realpath(path))


def _lone_segment(path: str) -> Place:
    segment = files.open_file(path)
    try:
        line, newline, _ = files.read_at(segment, MAX_LINE_BYTES, 0).partition(b"\n")
    finally:
        os.close(segment)
    named = layout.first_seqs([os.path.basename(path)])
    seq, prev = (named[0] if named else 1), GENESIS.digest
    try:
        first = Entry.parse(line + newline)
    except NotAnEntryError as error:
        if line and not named:
            found = f"a file that begins with {line[:20]!r}"
            raise NoLedgerError(path=path, found=found) from error
    else:
        seq, prev = (named[0] if named else first.seq), first.prev
    # What comes before entry 1 needs nobody's word.
    before = GENESIS if seq == 1 else Head(seq=seq - 1, digest=prev)
    return Place(((seq, path),), before)
