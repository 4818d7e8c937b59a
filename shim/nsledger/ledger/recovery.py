"""Where a writer goes on: the end of a segment, and what a crash left torn there.

What a crash can leave: a last line without its newline (the process died), or pages that never
reached the disk and read as NUL bytes, with newer lines behind them (the power failed). Both lie
in what was not synced yet, and `UNSYNCED_LIMIT_BYTES` bounds that. Only such bytes, and trailing
lines that are no entries, count as torn. A well-formed last entry stays, even if it does not follow
the one before it: that is no crash but an edit, and cutting it off would hide what `verify` must
show.

Only looks; the writer cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nsledger.ledger import files
from nsledger.ledger.chain import MAX_LINE_BYTES, Head
from nsledger.ledger.entry import Entry, check_whole
from nsledger.ledger.errors import NotAnEntryError

UNSYNCED_LIMIT_BYTES: Final = 4 << 20
"""A writer syncs before more than this is unsynced."""
WINDOW_BYTES: Final = 2 * UNSYNCED_LIMIT_BYTES + MAX_LINE_BYTES
"""How much of a segment's end is looked at, and held in memory meanwhile."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the sound part of a segment."""

    size_bytes: int
    """Everything from here on is torn."""
    head: Head | None
    """None where no entry is in the window: the segment is new, or unusable."""


def find_end(descriptor: int, size: int) -> End:
    """Where the sound part of a segment of `size` bytes ends. Reads at most `WINDOW_BYTES`."""
    start = max(0, size - WINDOW_BYTES)
    window = files.read_at(descriptor, size - start, start)
    hole = window.find(b"\0", -UNSYNCED_LIMIT_BYTES)
    sound = window if hole < 0 else window[:hole]
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
    return End(size_bytes=start, head=None)
