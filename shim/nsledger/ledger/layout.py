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

import contextlib
import os
import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

from nsledger import bounds
from nsledger.ledger import files
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.line import Head

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


# Where a ledger begins since its oldest segments were removed: `pruned.json`.
#
# The file only repeats what a `ledger.pruned` record says, which is in the chain and comes before
# the
# removal; so whoever verifies need not believe it. It is there for the readers, who would
# otherwise
# have to read the whole ledger to know where it begins.


class PrunedFileError(LedgerError):
    """`pruned.json` is there and says nothing: nobody knows what the first segment follows."""

    hint = (
        "The newest `ledger.pruned` record has the same facts; without the file, the ledger is "
        "read as if its first segments were missing."
    )

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}, needed where the ledger begins")
        self.path = path


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """The newest removal of segments."""

    v: Literal[1] = 1
    first_seq: Annotated[int, msgspec.Meta(ge=2, le=2**63 - 1)]
    """The first entry that was kept; a segment begins with it."""
    prev: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """SHA-256 of the line before it, which was removed."""
    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    """The first entry of this removal; the last is `first_seq - 1`. Older ones went before."""
    time: str
    """RFC 3339: when it was decided."""
    rule: str
    """By which rule: `max_age`, `max_bytes` or `disk`."""
    ledger_id: str = ""
    """As in the ledger's first record, which is gone."""

    @property
    def before(self) -> Head:
        """What the first kept entry follows."""
        return Head(seq=self.first_seq - 1, digest=self.prev)


def load(directory: str) -> Pruned | None:
    """What the ledger in `directory` says about its beginning; None if it was never pruned.

    Raises:
        PrunedFileError: the file is there and cannot be understood.
        OSError: it cannot be read.
    """
    path = os.path.join(directory, PRUNED_NAME)
    try:
        data = files.read_file(path, bounds.PRUNED_BYTES, follow_links=False)
        bounds.check(data, most_bytes=bounds.PRUNED_BYTES, depth=bounds.PRUNED_DEPTH)
        return msgspec.json.decode(data, type=Pruned)
    except FileNotFoundError:
        return None
    except files.NotARegularFileError as error:
        raise PrunedFileError(path=path, reason="found no regular file") from error
    except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
        raise PrunedFileError(path=path, reason=str(error)) from error


def save(directory: str, pruned: Pruned) -> None:
    """`pruned` is what readers find from now on, also after a power cut.

    Raises:
        OSError: it is not, and what was there before still is.
    """
    files.replace_file(
        os.path.join(directory, PRUNED_NAME),
        msgspec.json.encode(pruned) + b"\n",
        FILE_MODE,
    )


def remove_pruned(directory: str) -> None:
    """Remove what the ledger in `directory` says is removed, the oldest segments first.

    Raises:
        OSError: some are still there. Readers pass over them, and it may be tried again.
    """
    pruned = load(directory)
    if pruned is None:
        return
    names = os.listdir(directory)
    gone = [seq for seq in first_seqs(names) if seq < pruned.first_seq]
    for seq in gone:
        for name in (segment_name(seq), compressed_name(seq)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
    if gone:
        files.sync_directory(directory)
