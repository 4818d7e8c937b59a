"""The names in a ledger's directory: pure.

00000000000000000001.jsonl   a segment, named after the `seq` of its first entry
lock                         flock(2)ed by the one writer
torn-<seq>-<n>               bytes that a crash cut off; `seq` is the entry they would have been
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LOCK_NAME: Final = "lock"
DIRECTORY_MODE: Final = 0o750
FILE_MODE: Final = 0o640

_SEGMENT: Final = re.compile(r"([0-9]{20})\.jsonl").fullmatch
_TORN: Final = re.compile(r"torn-([0-9]{20})-([0-9]+)").fullmatch


def segment_name(first_seq: int) -> str:
    """The file name of the segment whose first entry is `first_seq`."""
    return f"{first_seq:020d}.jsonl"


def torn_name(seq: int, number: int) -> str:
    """The file name of the `number`th torn tail found where entry `seq` belongs."""
    return f"torn-{seq:020d}-{number}"


def torn_names(names: Iterable[str], seq: int) -> list[str]:
    """The torn tails among `names` that were found where entry `seq` belongs, in order."""
    found = ((_TORN(name), name) for name in names)
    mine = [(int(torn[2]), name) for torn, name in found if torn and int(torn[1]) == seq]
    return [name for _, name in sorted(mine)]


def first_seqs(names: Iterable[str]) -> list[int]:
    """What the segments among `names` begin with, in order."""
    return sorted(int(segment[1]) for segment in map(_SEGMENT, names) if segment is not None)
