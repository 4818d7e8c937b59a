"""Whether every entry of a ledger follows the one before it.

Trusts nothing but the bytes, needs no lock, holds one line at a time, and may run beside the
writer. What it cannot see: a last entry that was changed, a tail that was cut off, a ledger that
was rewritten with new hashes from some entry to its end. For these one needs a head from elsewhere.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from nsledger.ledger import files, place
from nsledger.ledger.chain import Head
from nsledger.ledger.entry import Entry, check_whole
from nsledger.ledger.errors import LedgerError, NotAnEntryError
from nsledger.ledger.reader import chunks, whole_lines


class Damage(enum.StrEnum):
    """In which way an entry does not follow the one before it."""

    NOT_AN_ENTRY = "not_an_entry"
    """The line is not JSON that opens with `seq` and `prev`, or ends too early."""
    MISSING = "missing"
    """A later entry stands in its place: it was taken out, or put behind."""
    REPEATED = "repeated"
    """An entry number that was there already stands in its place: copied, put in, or put before."""
    BROKEN_LINK = "broken_link"
    """It has the right number, and its `prev` is not the hash of the line before it: one of the
    two was changed or exchanged."""


class LedgerDamagedError(LedgerError):
    """An entry does not follow the one before it; nothing is said about later ones."""

    hint = "Keep the directory as evidence; what comes before the damage can still be read."

    def __init__(
        self, *, damage: Damage, seq: int, path: str, line_number: int, detail: str
    ) -> None:
        super().__init__(f"entry {seq} ({path}:{line_number}): {damage}: {detail}")
        self.damage = damage
        self.detail = detail
        self.seq = seq
        """The first entry that is not where it must be, or does not follow."""
        self.path = path
        self.line_number = line_number
        """In `path`, from 1, as `sed -n` counts."""

    @property
    def sound_through(self) -> int:
        """The last entry that another one vouches for: the link to `seq - 1` is what broke."""
        return max(0, self.seq - 2)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a ledger without damage says about itself."""

    before: Head
    """What its first entry follows: GENESIS, or what a lone later segment claims it follows."""
    head: Head
    unfinished_bytes: int
    """After the last newline: a line being written just now, or torn by a crash."""


def verify(path: str, *, progress: Callable[[int], None] | None = None) -> Verified:
    """Walk the whole ledger at `path`; where it ends.

    Time O(bytes), memory O(longest line). `progress` is called with each number of bytes read.

    Raises:
        LedgerDamagedError: at the first entry that does not follow.
        NoLedgerError: there is none.
        OSError: a segment cannot be read.
    """
    ledger = place.find(path)
    head = ledger.before
    unfinished = 0
    for first_seq, segment_path in ledger.segments:
        if unfinished:
            raise LedgerDamagedError(
                damage=Damage.NOT_AN_ENTRY,
                seq=head.seq + 1,
                path=segment_path,
                line_number=1,
                detail=f"the segment before ends with {unfinished} bytes of an unfinished line",
            )
        if first_seq != head.seq + 1:
            raise _out_of_sequence(head, first_seq, segment_path, line_number=1)
        head, unfinished = _walk(segment_path, head, progress)
    return Verified(before=ledger.before, head=head, unfinished_bytes=unfinished)


def _walk(path: str, head: Head, progress: Callable[[int], None] | None) -> tuple[Head, int]:
    """Follow `head` through one segment; the head at its end and the bytes behind it."""
    segment = files.open_file(path)
    seq, digest, size, first_seq = head.seq, head.digest.encode(), 0, head.seq + 1
    try:
        for line in whole_lines(_told(chunks(segment), progress)):
            # The loop that ten million lines go through: `chain.opening`, written out.
            if not line.startswith(b'{"seq":%d,"prev":"%b","' % (seq + 1, digest)):
                raise _broken(line, Head(seq, digest.decode()), path, seq + 2 - first_seq)
            check_whole(line)
            digest = sha256(line).hexdigest().encode()
            seq += 1
            size += len(line)
        unfinished = os.fstat(segment).st_size - size
    except NotAnEntryError as error:
        raise LedgerDamagedError(
            damage=Damage.NOT_AN_ENTRY,
            seq=seq + 1,
            path=path,
            line_number=seq + 2 - first_seq,
            detail=str(error),
        ) from error
    finally:
        os.close(segment)
    return Head(seq, digest.decode()), unfinished


def _told(pieces: Iterable[bytes], progress: Callable[[int], None] | None) -> Iterator[bytes]:
    for piece in pieces:
        if progress is not None:
            progress(len(piece))
        yield piece


def _broken(line: bytes, head: Head, path: str, line_number: int) -> LedgerError:
    """Why `line` does not follow `head`."""
    try:
        found = Entry.parse(line)
    except NotAnEntryError as error:
        return error
    if found.seq != head.seq + 1:
        return _out_of_sequence(head, found.seq, path, line_number)
    return LedgerDamagedError(
        damage=Damage.BROKEN_LINK,
        seq=head.seq + 1,
        path=path,
        line_number=line_number,
        detail=f"prev is {found.prev}, the line before has {head.digest}",
    )


def _out_of_sequence(head: Head, found: int, path: str, line_number: int) -> LedgerDamagedError:
    return LedgerDamagedError(
        damage=Damage.MISSING if found > head.seq else Damage.REPEATED,
        seq=head.seq + 1,
        path=path,
        line_number=line_number,
        detail=f"found entry {found} in its place",
    )
