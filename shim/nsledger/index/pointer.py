"""Where an entry stands, and what it hashed to when it was indexed."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

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
