"""The names in a ledger's directory: pure.

00000000000000000001.jsonl       a segment, named after the `seq` of its first entry
00000000000000000001.jsonl.zst   the same segment closed and compressed: zstd frames
foreign-<seq>-<n>                what someone else had put in place of the segment being written,
                                 or behind entry `seq`, its last
*.tmp                            something that was being made when its maker died
pruned.json                      where the ledger begins since older segments were removed
reserve                          room that is given back so that the last record fits on a full disk
lock                             flock(2)ed by the one writer
torn-<seq>-<n>                   bytes that a crash cut off; `seq` is the entry they would have been
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LOCK_NAME: Final = "lock"
PRUNED_NAME: Final = "pruned.json"
RESERVE_NAME: Final = "reserve"
COMPRESSED_SUFFIX: Final = ".zst"
UNFINISHED_SUFFIX: Final = ".tmp"
DIRECTORY_MODE: Final = 0o750
FILE_MODE: Final = 0o640

_SEGMENT: Final = re.compile(r"([0-9]{20})\.jsonl(\.zst)?").fullmatch
_TORN: Final = re.compile(r"torn-([0-9]{20})-([0-9]+)").fullmatch


def segment_name(first_seq: int) -> str:
    """The file name of the segment whose first entry is `first_seq`."""
    return f"{first_seq:020d}.jsonl"


def compressed_name(first_seq: int) -> str:
    """The file name of that segment once it is compressed."""
    return segment_name(first_seq) + COMPRESSED_SUFFIX


def torn_name(seq: int, number: int) -> str:
    """The file name of the `number`th torn tail found where entry `seq` belongs."""
    return f"torn-{seq:020d}-{number}"


def foreign_name(seq: int, number: int) -> str:
    """The file name of the `number`th thing that someone put where entry `seq` was the last."""
    return f"foreign-{seq:020d}-{number}"


def torn_names(names: Iterable[str], seq: int) -> list[str]:
    """The torn tails among `names` that were found where entry `seq` belongs, in order."""
    found = ((_TORN(name), name) for name in names)
    mine = [(int(torn[2]), name) for torn, name in found if torn and int(torn[1]) == seq]
    return [name for _, name in sorted(mine)]


def segment_names(names: Iterable[str]) -> list[tuple[int, str]]:
    """What each segment among `names` begins with, and its name; in order.

    Of one that is there twice, because its compression was not finished, the original.
    """
    # In falling order the plain name follows the compressed one, and takes its place.
    found = {
        int(match[1]): match[0] for match in map(_SEGMENT, sorted(names, reverse=True)) if match
    }
    return sorted(found.items())


def first_seqs(names: Iterable[str]) -> list[int]:
    """What the segments among `names` begin with, in order."""
    return [seq for seq, _ in segment_names(names)]
