"""Reads entries by pointer, and takes none that is not what was indexed.

A segment is read where the entry stands; of a compressed one, that is a frame of half a megabyte.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import itertools
import os
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from nsledger.errors import NsledgerError
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


# Whether an index is as its builder left it: it is no witness, and nobody else may write it.
#
# SQLite would read rows that another program took out or put in as if they were ours, and an
# answer
# "no record" would hang on them. So whoever wrote an index last notes beside it what stat(2) says
# of
# its files. Any later write changes their times or sizes, and root cannot set a ctime back.
# SQLite's
# log is hashed instead: a reader who is root chowns it each time, which changes its ctime. Who
# finds
# something else than was noted does not believe the index: it is built anew from the ledger.
#
# What an index tells is checked in the ledger anyway, entry by entry; this is about what it
# leaves
# out.

_FILES: Final = ("", "-wal")
_MODE: Final = 0o640
_WAIT_S: Final = 0.02
_LOOKS: Final = 25
"""Between a commit and its seal the builder needs a millisecond."""


class IndexAlteredError(NsledgerError):
    """An index that somebody else than its builder wrote."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: found it changed by another program, needed it as it was built")
        self.path = path


class _File(msgspec.Struct, frozen=True):
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0
    digest: str = ""


def seal(path: str) -> None:
    """Note that the index at `path` is as its builder left it.

    Raises:
        OSError: that cannot be written.
    """
    unfinished = f"{path}.seal.new"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        os.write(descriptor, msgspec.json.encode(_look(path)))
    finally:
        os.close(descriptor)
    os.rename(unfinished, f"{path}.seal")


def is_sealed(path: str) -> bool:
    """Whether nobody but its builder wrote the index at `path`, by what is there at this moment."""
    try:
        with open(f"{path}.seal", "rb") as file:
            noted = msgspec.json.decode(file.read(), type=dict[str, _File | None])
        return noted == _look(path)
    except (OSError, msgspec.DecodeError):
        return False


def wait_until_sealed(path: str) -> bool:
    """As `is_sealed`, for a reader whose look may fall between a commit and its seal."""
    for _ in range(_LOOKS):
        if is_sealed(path):
            return True
        if not os.path.exists(f"{path}.seal"):
            return False
        time.sleep(_WAIT_S)
    return False


def unseal(path: str) -> None:
    """The index is gone, or is about to be."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.seal")


def _look(path: str) -> dict[str, _File | None]:
    """What there is of the index: an empty log is as good as none.

    Raises:
        OSError: it cannot be looked at.
    """
    found: dict[str, _File | None] = {}
    for suffix in _FILES:
        try:
            status = os.stat(path + suffix)
        except FileNotFoundError:
            found[suffix] = None
            continue
        if not suffix:
            found[suffix] = _File(
                status.st_ino, status.st_size, status.st_mtime_ns, ctime_ns=status.st_ctime_ns
            )
        elif status.st_size:
            with open(path + suffix, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[suffix] = _File(status.st_ino, status.st_size, status.st_mtime_ns, digest=digest)
        else:
            found[suffix] = None
    return found
