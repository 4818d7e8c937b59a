"""Reads entries by pointer, and takes none that is not what was indexed.

A segment is read where the entry stands; of a compressed one, that is a frame of half a megabyte.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator

from nsledger.index.pointer import DIGEST_CHARACTERS, Pointer
from nsledger.ledger import place
from nsledger.ledger.chain import digest_of
from nsledger.ledger.entry import Entry
from nsledger.ledger.errors import LedgerError


class EntryChangedError(LedgerError):
    """An entry is not what it was when it was indexed."""

    hint = "`nsledger verify` tells whether the ledger was changed; `nsledger reindex` starts anew."

    def __init__(self, *, seq: int) -> None:
        super().__init__(f"entry {seq}: its line hashes to something else than when it was indexed")
        self.seq = seq


class Entries:
    """The segments of one ledger, as they were when this was made."""

    def __init__(self, ledger: str) -> None:
        self._segments = place.find(ledger).segments
        self._first_seqs = [first_seq for first_seq, _ in self._segments]

    def read(self, pointers: Iterable[Pointer]) -> Iterator[Entry]:
        """The entries at `pointers`, in order; those that the ledger has no more are left out.

        Raises:
            EntryChangedError: one of them is not what it was.
            NotAnEntryError: a compressed segment is damaged.
            OSError: a segment cannot be read.
        """
        wanted = sorted(at for at in set(pointers) if at.seq >= self._first_seqs[0])
        for number, portion in itertools.groupby(wanted, self._number):
            with place.opened(self._segments[number][1]) as segment:
                if segment is None:
                    continue  # the rules of retention took it meanwhile
                for at in portion:
                    yield _checked(at, segment.line_at(at.offset))

    def _number(self, at: Pointer) -> int:
        """Which segment an entry is in."""
        return bisect.bisect_right(self._first_seqs, at.seq) - 1


def _checked(at: Pointer, line: bytes) -> Entry:
    """`line` as the entry that was indexed, if that is what it is."""
    if line.startswith(b'{"seq":%d,' % at.seq) and (
        int(digest_of(line)[:DIGEST_CHARACTERS], 16) == at.digest
    ):
        return Entry.parse(line)
    raise EntryChangedError(seq=at.seq)
