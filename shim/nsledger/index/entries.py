"""Reads entries by pointer, and takes none that is not what was indexed.

A segment is read where the entry stands; of a compressed one, that is a frame of half a megabyte.
"""

from __future__ import annotations

import bisect
import itertools
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from nsledger.ledger import place
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.line import Entry, digest_of

DIGEST_CHARACTERS: Final = 16
_NUMBERS: Final = 3


Numbers = tuple[int, int, int]
"""Those of a pointer, where they are made by the million and a class would cost as much again."""


class Pointer(NamedTuple):
    """One entry of one ledger."""

    seq: int
    offset: int
    """Of its line in the segment, in bytes; of a compressed one, in what it holds."""
    digest: int
    """The first 8 bytes of the SHA-256 of its line."""


def pack(numbers: Iterable[int]) -> bytes:
    """Pointers, one after the other, as the index stores them: little-endian."""
    packed = array("Q", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack(data: bytes) -> Iterator[Pointer]:
    """The pointers in `data`."""
    numbers = array("Q")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    for at in range(0, len(numbers), _NUMBERS):
        yield Pointer(numbers[at], numbers[at + 1], numbers[at + 2])


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
