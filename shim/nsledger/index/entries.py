"""Reads entries by pointer, and takes none that is not what was indexed."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from nsledger.index.pointer import DIGEST_CHARACTERS, Pointer
from nsledger.ledger import files, place
from nsledger.ledger.chain import MAX_LINE_BYTES, digest_of
from nsledger.ledger.entry import Entry
from nsledger.ledger.errors import LedgerError

_GUESS_BYTES: Final = 2048
"""Most lines are shorter."""


class EntryChangedError(LedgerError):
    """An entry is not what it was when it was indexed."""

    hint = "`nsledger verify` tells whether the ledger was changed; `nsledger reindex` starts anew."

    def __init__(self, *, seq: int) -> None:
        super().__init__(f"entry {seq}: its line hashes to something else than when it was indexed")
        self.seq = seq


class Entries:
    """The segments of one ledger, opened as they are needed."""

    def __init__(self, ledger: str) -> None:
        self._segments = place.find(ledger).segments
        self._first_seqs = [first_seq for first_seq, _ in self._segments]
        self._open: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for segment in self._open.values():
            os.close(segment)
        self._open.clear()

    @property
    def first_seq(self) -> int:
        """The oldest entry that the ledger still has."""
        return self._first_seqs[0]

    def read(self, pointers: Iterable[Pointer]) -> Iterator[Entry]:
        """The entries at `pointers`, in order; those that the ledger has no more are left out.

        Raises:
            EntryChangedError: one of them is not what it was.
            OSError: a segment cannot be read.
        """
        for at in sorted(set(pointers)):
            if at.seq >= self.first_seq:
                yield self.entry(at)

    def entry(self, at: Pointer) -> Entry:
        """The entry at a pointer.

        Raises:
            EntryChangedError: there is another, or none.
            OSError: its segment cannot be read.
        """
        line = self._line(at)
        if line.startswith(b'{"seq":%d,' % at.seq) and (
            int(digest_of(line)[:DIGEST_CHARACTERS], 16) == at.digest
        ):
            return Entry.parse(line)
        raise EntryChangedError(seq=at.seq)

    def _line(self, at: Pointer) -> bytes:
        number = bisect.bisect_right(self._first_seqs, at.seq) - 1
        segment = self._open.get(number)
        if segment is None:
            segment = self._open[number] = files.open_file(self._segments[number][1])
        data = os.pread(segment, _GUESS_BYTES, at.offset)
        if b"\n" not in data:
            data = files.read_at(segment, MAX_LINE_BYTES, at.offset)
        line, newline, _ = data.partition(b"\n")
        return line + newline
